#!/bin/sh
# What is installed works without the source tree: names the libraries show, the example programs built by pkg-config against
# both of them, and the program from a foreign folder. Usage: installed.sh BUILD SOURCE CMAKE CC SANITIZERS
set -u
build=$(realpath "$1") source=$(realpath "$2") cmake=$3 cc=$4 sanitize=$5
unset FLAVORDIFF_TARGETS
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
failed=0
wrong() {
    failed=$((failed + 1))
    echo "FAIL: $*"
}

"$cmake" --install "$build" --prefix "$root/usr" >"$root/log" 2>&1 || wrong "install: $(cat "$root/log")"
cd "$root" || exit 1
pc=$(find usr -name flavordiff.pc)
lib=$(realpath "$(dirname "$pc")/..")

# ---- names: only fd_ ones, and of these only what a public header declares
cat usr/include/flavordiff/*.h >headers
# (Locks of OpenMP's critical sections are the compiler's.)
nm -D --defined-only "$lib/libflavordiff.so" | awk '{print $3}' | grep -v '^\.gomp_critical' | sort >shared
nm -g --defined-only "$lib/libflavordiff.a" | awk 'NF == 3 {print $3}' | grep -v '^\.gomp_critical' | sort >static
[ "$(grep -c '^fd_' shared)" -gt 100 ] || wrong "the shared library shows $(grep -c . shared) names"
if [ -z "$sanitize" ]; then # sanitizers add names of their own
    for f in shared static; do grep -v '^fd_' $f >other && wrong "$f library defines: $(head -n 5 other)"; done
    cmp -s shared static || wrong "the two libraries do not show the same names: $(diff shared static | head -n 5)"
    # The only state of the library is the table of kernels chosen for this machine; the rest is the compiler's.
    nm -f sysv "$lib/libflavordiff.so" | awk -F'|' '$7 ~ /\.(data|bss)$/ {gsub(/ /, "", $1); print $1}' |
        grep -Ev '^((fd_kernels_get\.)?chosen(\.[0-9]+)?|\.gomp_critical.*|completed(\.[0-9]+)?|__.*)$' >state && wrong "globals: $(cat state)"
fi
while read -r name; do grep -qw "$name" headers || wrong "$name is shown, but in no public header"; done <shared

# ---- a program of somebody else's
PKG_CONFIG_PATH=$(dirname "$(realpath "$pc")")
export PKG_CONFIG_PATH
flags=$(pkg-config --cflags --libs flavordiff) || wrong "pkg-config finds no flavordiff"
flags_static=$(pkg-config --static --cflags --libs flavordiff | sed "s|-lflavordiff|$lib/libflavordiff.a|")
[ -z "$sanitize" ] || flags="-fsanitize=$sanitize $flags" flags_static="-fsanitize=$sanitize $flags_static"
example=$(find usr -name solutions.c)
# shellcheck disable=SC2086
"$cc" -std=c17 -Wall -Wextra -Werror "$example" $flags -o with-shared || wrong "the example does not build with $flags"
# shellcheck disable=SC2086
"$cc" -std=c17 -Wall -Wextra -Werror "$example" $flags_static -o with-static || wrong "the example does not build with $flags_static"
targets=$(dirname "$(find "$root/usr" -name paper-table1-no.yaml)")
LD_LIBRARY_PATH=$lib FLAVORDIFF_TARGETS=$targets ./with-shared 20 >a.csv || wrong "with-shared fails"
FLAVORDIFF_TARGETS=$targets ./with-static 20 >b.csv || wrong "with-static fails"
cmp -s a.csv b.csv || wrong "shared and static library draw different solutions"
[ "$(wc -l <a.csv)" -eq 21 ] || wrong "$(wc -l <a.csv) lines instead of 21"
# Solutions of normal ordering: sqrt(dm21) + sqrt(dm31) < sum m, 0.05752 at the lower ends of their windows, and m_bb < sum m.
awk -F, 'NR > 1 && !($1 > 0.0575 && $1 < 3 && $2 > 0 && $2 < $1) {bad = 1} END {exit bad}' a.csv || wrong "no solutions: $(cat a.csv)"
LD_LIBRARY_PATH=$lib ./with-shared 1 no-such-set >out 2>&1 && wrong "a missing target set is no failure"
grep -q 'no target set' out || wrong "message: $(cat out)"

# ---- the program, away from its source
mkdir elsewhere && cd elsewhere || exit 1
program=$root/usr/bin/flavordiff
"$program" version >out 2>&1 || wrong "version: $(cat out)"
"$program" reference -n 200 -o exact.h5 >out 2>&1 || wrong "reference: $(cat out)"
# Debian's modules belong to Debian's Python, which need not be the first in the path.
python=$(for p in python3 /usr/bin/python3; do $p -c 'import h5py, matplotlib' 2>/dev/null && echo $p && break; done)
if [ -n "$python" ]; then
    # The example computes predictions by itself: they must be those of the program.
    "$python" "$(find "$root/usr" -name read_results.py)" exact.h5 figure.png >said || wrong "read_results.py: $(cat said)"
    "$program" analyse exact.h5 -o analysis -q >out 2>&1 || wrong "analyse: $(cat out)"
    "$python" - "$(cat said)" <<'PY' || wrong "read_results.py and flavordiff differ: $(cat said)"
import json, sys
ours = json.load(open("analysis/summary.json"))["solutions"]["observables"]
words = sys.argv[1].split()
for name, text in ("sum_m_eV", words[words.index("sum_m") + 1]), ("mbb_eV", words[words.index("m_bb") + 1]):
    assert abs(float(text) / ours[name]["median"] - 1) < 1e-6, (name, text, ours[name])
PY
    [ "$(head -c 4 figure.png | tail -c 3)" = PNG ] || wrong "figure.png is no PNG"
else
    echo "SKIPPED: examples/read_results.py was not run, python3-h5py or python3-matplotlib is missing (scripts/setup.sh)"
fi
[ "$failed" -eq 0 ]
