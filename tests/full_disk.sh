#!/bin/sh
# A disk that is really full: verbs write into a small tmpfs. Each must end with exit code 1 and one line that says so, and leave no
# file but a checkpoint; on a larger disk the same command, with --resume where that is an option, then ends well. Skipped (77) where
# nothing may be mounted. Usage: full_disk.sh FLAVORDIFF SOURCE_FOLDER
set -u
program=$(realpath "$1")
source=$(realpath "$2")
if [ "${3:-}" != inside ]; then
    unshare -rm true 2>/dev/null || { echo "full_disk.sh: skipped: no mounts here (unshare -rm is refused)"; exit 77; }
    exec unshare -rm sh "$0" "$program" "$source" inside
fi
export FLAVORDIFF_TARGETS="$source/targets"
work=$(mktemp -d)
mkdir "$work/disk"
mount -t tmpfs -o size=40k none "$work/disk" || { rm -rf "$work"; echo "full_disk.sh: skipped: tmpfs cannot be mounted"; exit 77; }
trap 'cd /; umount "$work/disk"; rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0 passed=0
fail() { failed=$((failed + 1)); echo "FAIL: $*"; }

small="--set network.widths=[64,64] --set network.activations=[selu,tanh] --set diffusion.steps=20 --set train.updates=20
 --set tune.updates=5 --set sample.sampler.kind=ddim --set sample.sampler.steps=5 --set select.sampler.kind=ddim
 --set select.sampler.steps=5 --set select.max_generated=2000 --set select.wanted=2000 --set select.chi2_all=1e30
 --set select.chi2_mass=1e30 --set select.chi2_mixing=1e30 --set before.n=0 --set simulate.scan=10 --set simulate.pairs=2000
 --set informed.network.width=32 --set informed.network.hidden=2 --set informed.network.last=0 --set informed.draws.validation=256
 --set informed.train.batch=64 --set informed.train.updates=10 --set exact.max_steps=600"
# shellcheck disable=SC2086
"$program" simulate -q -o pairs.h5 $small && "$program" train pairs.h5 -q -o net.h5 $small &&
    "$program" reference -q -n 1000 -o ref.h5 && "$program" reference -q -n 1000 -s 2 -o ref2.h5 &&
    "$program" analyse ref.h5 -q -o analysis || exit 1

# job OUTPUT RESUME ARGUMENTS...: OUTPUT below disk/
job() {
    out=$1 resume=$2
    shift 2
    "$program" "$@" >out.txt 2>err.txt
    code=$?
    [ "$code" -eq 1 ] || fail "$*: exit code $code on a full disk: $(cat err.txt)"
    grep -q '^flavordiff: .*No space left on device' err.txt || fail "$*: does not say what is wrong: $(tail -1 err.txt)"
    # a run keeps the stages that ended well
    find disk -type f ! -name '*.checkpoint' ! -path 'disk/run/*.[jy]*' | grep . && fail "$*: left behind on a full disk"
    mount -o remount,size=64m "$work/disk"
    # shellcheck disable=SC2086
    "$program" "$@" $resume >out.txt 2>err.txt || fail "$*: exit code $? on a larger disk: $(tail -1 err.txt)"
    [ -e "disk/$out" ] || fail "$*: no $out"
    find disk -name '*.part' -o -name '*.checkpoint' | grep . && fail "$*: left over in the end"
    rm -rf disk/*
    mount -o remount,size=40k "$work/disk" || fail "$*: the disk does not get smaller again"
    passed=$((passed + 1))
}
# shellcheck disable=SC2086
{
    job p.h5 --resume simulate -o disk/p.h5 $small
    job n.h5 --resume train pairs.h5 -o disk/n.h5 $small
    job t.h5 --resume tune net.h5 pairs.h5 -o disk/t.h5 $small
    job i.h5 --resume train-informed -o disk/i.h5 $small
    job s.h5 --resume select net.h5 -o disk/s.h5 $small
    job s.h5 --resume sample net.h5 -n 2000 -o disk/s.h5 $small
    job j.h5 --resume project pairs.h5 -o disk/j.h5 $small
    job r.h5 --resume reference -n 1000 -o disk/r.h5
    job e.h5 --resume exact ref.h5 -o disk/e.h5 $small
    job a/attribution.csv --resume attribute ref.h5 -n 1000 -o disk/a
    job c/calibration.json --resume calibrate net.h5 -n 200 -o disk/c $small --set calibrate.samples=15
    job m.h5 '' merge ref.h5 ref2.h5 -o disk/m.h5
    job a/analysis.h5 '' analyse ref.h5 -o disk/a
    job x.csv '' export ref.h5 --format csv -o disk/x.csv
    job f/figures/fig2.gp '' plot analysis -o disk/f
    job run/samples.h5 '' run -o disk/run $small --set sample.n=500
}
echo "full_disk.sh: $passed verbs on a full disk, $failed failures"
[ "$failed" -eq 0 ]
