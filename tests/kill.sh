#!/bin/sh
# Kill test: long verbs are killed (-9) at random moments and resumed until they are done, again and again; what comes out
# must be what an uninterrupted run gives, dataset by dataset and attribute by attribute, and nothing may be left over. Needs python3
# with h5py. Usage: kill.sh PATH_TO_FLAVORDIFF SOURCE_FOLDER [KILLS [SEED]]; KILLS of each of the jobs below, default 3
set -u
program=$(realpath "$1")
source=$(realpath "$2")
kills=${3:-3}
seed=${4:-1}
FLAVORDIFF_TARGETS=$source/targets
SOURCE_DATE_EPOCH=1
export FLAVORDIFF_TARGETS SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0 total=0 done_runs=0
for python in python3 /usr/bin/python3 none; do "$python" -c 'import h5py' 2>/dev/null && break; done
[ "$python" != none ] || { echo "kill.sh: python3 has no h5py; install python3-h5py"; exit 1; }

fail() { failed=$((failed + 1)); echo "FAIL: $*"; }
now() { date +%s.%N; }

# job NAME VERB ARGUMENTS...: output NAME.h5, or the folder NAME.run
job() {
    name=$1
    shift
    out=$name.h5
    case $1 in run | calibrate | attribute) out=$name.run ;; esac
    begin=$(now)
    "$program" "$@" -q -o "whole-$out" >log.txt 2>&1 || { fail "$name: $(cat log.txt)"; return; }
    seconds=$(echo "$(now) $begin" | awk '{ print $1 - $2 }')
    killed=0 finished=0
    # moments: most of them early, so that many kills meet one output
    for moment in $(awk -v n=$((kills * 20)) -v seed="$seed" -v t="$seconds" \
        'BEGIN { srand(seed); for (i = 0; i < n; i++) printf "%.4f\n", t * rand() * rand() }'); do
        [ "$killed" -lt "$kills" ] || moment=1000000
        if [ "$moment" = 1000000 ]; then
            "$program" "$@" -q -o "$out" --resume --checkpoint-every 0.05 >log.txt 2>&1
            code=$?
        else
            "$program" "$@" -q -o "$out" --resume --checkpoint-every 0.05 >log.txt 2>&1 &
            pid=$!
            sleep "$moment"
            kill -9 "$pid" 2>/dev/null
            wait "$pid" 2>/dev/null
            code=$?
        fi
        if [ "$code" -eq 137 ]; then
            killed=$((killed + 1))
        elif [ "$code" -ne 0 ]; then
            fail "$name after $killed kills: exit code $code: $(cat log.txt)"
            return
        else
            "$python" "$source/tests/same.py" "whole-$out" "$out" || fail "$name after $killed kills"
            finished=$((finished + 1))
            find . -name "*.checkpoint*" -o -name "*.part" | grep . && fail "$name: left over"
            [ "$killed" -lt "$kills" ] || break
            rm -rf "$out"
        fi
    done
    echo "$name: $killed kills, $finished outputs like the one of an uninterrupted run ($seconds s)"
    total=$((total + killed)) done_runs=$((done_runs + finished))
}

small="--set network.widths=[64,64] --set network.activations=[selu,tanh] --set diffusion.steps=100 --set simulate.pairs=4000
 --set sample.sampler.kind=ddim --set sample.sampler.steps=100 --set select.sampler.kind=ddim --set select.sampler.steps=20
 --set select.max_generated=20000 --set select.wanted=10000 --set select.chi2_all=1e9 --set select.chi2_mass=1e7
 --set select.chi2_mixing=1e9 --set before.n=0 --set simulate.scan=100000 --set informed.network.width=32
 --set informed.network.hidden=2 --set informed.network.last=0 --set informed.draws.validation=256
 --set informed.train.batch=64"
"$program" simulate -q -o pairs.h5 $small && "$program" train pairs.h5 -q -o net.h5 $small --set train.updates=300 &&
    "$program" reference -q -n 2000 -o exact-solutions.h5 || exit 1

job simulate simulate -n 400000 --set simulate.scan=400000
job train train pairs.h5 $small --set train.updates=500
job tune tune net.h5 pairs.h5 $small --set tune.updates=800
job train-informed train-informed $small --set informed.train.updates=250
job select select net.h5 $small
job sample sample net.h5 $small -n 20000
job until sample net.h5 $small --set sample.until=15000 --max 40000 --set sample.keep_chi2_below=1e5 --set sample.label=window \
    --set sample.project.steps=20
job orbits reference -n 20000
job rejection reference -n 200000 --method rejection --set reference.cuts=none
job chains reference -n 250 --method mcmc --set reference.chains=8 --set reference.steps=4000
job project project pairs.h5 --set informed.sample.label=window
job exact exact exact-solutions.h5 -n 1500
job calibrate calibrate net.h5 $small -n 500
job attribute attribute exact-solutions.h5 -n 20000
job run run $small --set train.updates=400 --set tune.updates=300 --set sample.n=5000 --set informed.enabled=true \
    --set informed.train.updates=300 --set informed.sample.n=1000 --set informed.reference=1000

echo "kill.sh: $total kills, $done_runs outputs finished and compared, $failed failures"
[ "$failed" -eq 0 ]
