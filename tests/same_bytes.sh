#!/bin/sh
# The same seed gives the same bytes: every verb runs twice with one thread and once with two, and all that it writes, files and
# standard output, must be equal to the byte. The clock stands still (the shim of the fault injection), for files tell seconds; gnuplot
# is the stand-in, for PDFs tell the date. The jobs are those of the fault injection and larger ones for several threads; a verb that is
# in neither is a failure. Usage: same_bytes.sh FLAVORDIFF SOURCE_FOLDER SHIM
set -u
program=$(realpath "$1")
source=$(realpath "$2")
shim=$(realpath "$3")
PATH=$source/tests/faults:$PATH
FLAVORDIFF_TARGETS=$source/targets SOURCE_DATE_EPOCH=1700000000 GOMP_SPINCOUNT=3000
export PATH FLAVORDIFF_TARGETS SOURCE_DATE_EPOCH GOMP_SPINCOUNT
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/in"
cd "$work/in" && sh "$source/tests/faults/setup.sh" "$program" "$source" || exit 1
cd "$work" || exit 1
failed=0 jobs=0

# once FOLDER THREADS BEFORE ARGUMENTS...: in a folder of its own, which BEFORE of the inputs is copied to first
once() {
    folder=$1 threads=$2 before=$3
    shift 3
    mkdir "$folder"
    [ "$before" = - ] || cp -r "in/$before" "$folder"
    (cd "$folder" && LD_PRELOAD="$shim" OMP_NUM_THREADS="$threads" "$program" "$@" >"stdout" 2>"stderr") ||
        { failed=$((failed + 1)); echo "FAIL: $*: $(cat "$folder/stderr")"; }
}

grep -v '^#' "$source/tests/faults/jobs.txt" >jobs.txt
cat >>jobs.txt <<'JOBS'
- | simulate -n 40000 --set simulate.scan=40000 -o p.h5
- | train ../in/pairs.h5 -o n.h5 --set train.updates=20
- | train-informed -o n.h5 --set informed.train.updates=20 --set informed.draws.validation=256 --set informed.network.width=64
- | select ../in/net.h5 -o s.h5 -c ../in/tiny.yaml --set select.wanted=2000 --set select.max_generated=5000
- | sample ../in/net.h5 -n 5000 -o s.h5 -c ../in/tiny.yaml
- | sample ../in/informed.h5 -n 2000 -o s.h5 -c ../in/tiny.yaml
- | sample ../in/informed.h5 -o s.h5 -c ../in/tiny.yaml --until 300 --max 4000
- | reference -n 3000 -o r.h5
- | reference -n 2000 --method rejection --set reference.cuts=none -o r.h5
- | reference -n 200 --method mcmc --set reference.chains=32 --set reference.steps=64 --set reference.burn_in=64 -o r.h5
- | calibrate ../in/informed.h5 -o c -n 100 --set calibrate.samples=15 --sampler ddim --steps 3
- | version
JOBS
verbs=' '
while IFS= read -r line; do
    before=${line%% | *} command=${line#* | }
    # shellcheck disable=SC2086
    set -- $command
    verbs="$verbs$1 " jobs=$((jobs + 1))
    for run in "one 1" "again 1" "two 2"; do
        # shellcheck disable=SC2086
        once $run "$before" "$@"
    done
    for other in again two; do
        diff -r one "$other" >difference || { failed=$((failed + 1)); echo "FAIL: $command: $other: $(head -3 difference)"; }
    done
    [ -n "$(find one -type f -size +0)" ] || { failed=$((failed + 1)); echo "FAIL: $command: wrote nothing"; }
    rm -rf one again two
done <jobs.txt

for verb in $("$program" help | awk '/^  [a-z]/ { print $1 }'); do
    case "$verbs bench " in # bench measures time
    *" $verb "*) ;;
    *) failed=$((failed + 1)); echo "FAIL: no job of the verb $verb" ;;
    esac
done
echo "same_bytes.sh: $jobs jobs, each with one thread twice and with two, $failed failures"
[ "$failed" -eq 0 ]
