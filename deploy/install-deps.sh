#!/bin/sh
# Installs what subrank needs from Debian's own packages. Says what it does; uses sudo when it is not root; does nothing
# when everything is there.
#   --build   to compile and run both programs
#   --web     to build the dashboard (node and npm)
#   --test    both, and what the tests use
#   --slurm   what `make test-slurm` uses
#   --arm     what `make test-arm` uses
# Without an option: --build and --web.
set -eu
build="gcc make pkg-config git libmicrohttpd-dev libuv1-dev libsqlite3-dev libjansson-dev libcurl4-gnutls-dev
libgnutls28-dev nettle-dev libopenblas-dev zlib1g-dev libarchive-dev libjpeg-dev libpng-dev libxxhash-dev libgmp-dev
python3"
test="prometheus clang curl openssl python3-pytest python3-requests python3-numpy python3-yaml python3-jsonschema
python3-selenium python3-torch python3-pil chromium chromium-driver valgrind faketime"
web=
{ command -v node && command -v npm; } >/dev/null 2>&1 || web="nodejs npm"
case "${1:-}" in
"") want="$build $web" ;;
--build) want=$build ;;
--web) want=$web ;;
--test) want="$build $web $test" ;;
--slurm) want="$build slurm-wlm munge python3-pytest python3-requests" ;;
--arm) want="$build gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user" ;;
*)
    echo "usage: $0 [--build | --web | --test | --slurm | --arm]" >&2
    exit 2
    ;;
esac
missing=
for p in $want; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
echo "subrank: installing Debian packages:$missing"
$sudo apt-get update -qq
# shellcheck disable=SC2086 # a list of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
