#!/bin/sh
# Installs what subrank needs from Debian's own packages: --build (default: to build and run), --test (also to test).
# Says what it does; uses sudo when it is not root; does nothing when everything is there.
set -eu
build="gcc make pkg-config libmicrohttpd-dev libuv1-dev libsqlite3-dev libjansson-dev libcurl4-gnutls-dev
libgnutls28-dev nettle-dev libopenblas-dev zlib1g-dev libarchive-dev libjpeg-dev libpng-dev libxxhash-dev libgmp-dev"
test="clang curl openssl python3 python3-pytest python3-requests python3-numpy python3-yaml python3-jsonschema
python3-selenium python3-torch chromium chromium-driver"
want=$build
[ "${1:-}" = --test ] && want="$build $test"
command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || want="$want nodejs npm"
missing=
for p in $want; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "subrank: installing Debian packages:$missing"
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing
