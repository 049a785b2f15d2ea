#!/bin/sh
# `make demo`: from a fresh Debian 12 to a ranking. Installs, builds, and hands over to demo.py, which starts a
# coordinator and two workers and ranks the supernet of this directory. The dashboard needs node and some hundred small
# packages, so it is prepared in the background; the ranking does not wait for it. Arguments go to demo.py.
set -eu
cd "$(dirname "$0")/../.."
deploy/install-deps.sh --build
mkdir -p build
log=build/demo-dashboard.log
{ deploy/install-deps.sh --web && ${MAKE:-make} --no-print-directory webui; } >"$log" 2>&1 </dev/null &
web=$!
trap 'kill $web 2>/dev/null || true' EXIT INT TERM
echo "demo: building (the dashboard in the background, see $log)"
${MAKE:-make} --no-print-directory -s -j"$(nproc)" all
python3 -u deploy/demo/demo.py --dashboard-pid $web "$@"
