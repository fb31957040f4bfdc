#!/bin/sh
# Installs the Debian packages that are missing; says what, and asks for sudo only when there is something to install.
set -eu

packages="gcc libc6-dev make cmake pkg-config libhdf5-dev libcyaml-dev libyaml-dev libjansson-dev zlib1g-dev librandom123-dev \
gnuplot-nox fonts-dejavu-core libcmocka-dev liblapacke-dev $*"

missing=""
for p in $packages; do
    dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q '^install ok installed' && continue
    # Another package may provide the program (a compiler in a different version, gnuplot with a window).
    case $p in
        gcc) command -v cc >/dev/null 2>&1 && continue ;;
        gnuplot-nox) command -v gnuplot >/dev/null 2>&1 && continue ;;
        make | cmake) command -v "$p" >/dev/null 2>&1 && continue ;;
    esac
    missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: please install with your package manager:$missing" >&2
    exit 1
fi
echo "setup: installing with apt-get:$missing"
sudo=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "setup: not root and no sudo; please run as root: apt-get install$missing" >&2; exit 1; }
    sudo="sudo"
fi
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# shellcheck disable=SC2086
$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
