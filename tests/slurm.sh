#!/bin/bash
# The Slurm examples without Slurm: their syntax, and the array job task by task with stand-ins for srun and scontrol, one task
# stopped once, merged in the end. (mpi.sbatch: tests/mpi.sh.) Usage: slurm.sh PATH_TO_FLAVORDIFF SOURCE_FOLDER
set -u
program=$(realpath "$1")
source=$(realpath "$2")
export FLAVORDIFF_TARGETS=$source/targets
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
die() { echo "slurm.sh: $*"; cat log.txt 2>/dev/null; exit 1; }

for script in "$source"/examples/slurm/*.sbatch; do bash -n "$script" || die "$script: syntax"; done
mkdir bin
ln -s "$program" bin/flavordiff
cat >bin/srun <<'END2'
#!/bin/sh
exec "$@" $STOP
END2
printf '#!/bin/sh\necho "$@" >>requeued.txt\n' >bin/scontrol
chmod +x bin/srun bin/scontrol
export PATH=$work/bin:$PATH STOP="" SLURM_ARRAY_JOB_ID=7 SAMPLES=20000
tiny="--set network.widths=[8] --set diffusion.steps=5 --set sample.sampler.kind=ddim --set sample.sampler.steps=5"
export SETTINGS=$tiny
{ flavordiff simulate -q -n 200 -o pairs.h5 && flavordiff train pairs.h5 -q -o network.h5 $tiny --set train.updates=3; } || die "setting up"
task() { SLURM_ARRAY_TASK_ID=$1 bash "$source/examples/slurm/array.sbatch" >log.txt 2>&1; }
task 0 || die "task 0"
STOP="--max-time 1e-9" task 1 || die "task 1, stopped"
grep -qx 'requeue 7_1' requeued.txt || die "task 1 is not in the queue again"
[ ! -e parts/part-1.h5 ] || die "task 1 was not stopped"
task 1 && task 2 || die "tasks 1 and 2"
task 0 || die "task 0 again"
grep -q 'is there already' log.txt || die "task 0 again was not told so"
flavordiff merge -q parts/part-*.h5 -o samples.h5 || die "merge"
flavordiff info samples.h5 >log.txt && grep -Eq '\b60000\b' log.txt || die "not 60000 samples"
[ "$(wc -l <requeued.txt)" -eq 1 ] || die "requeued more than once"
echo "slurm.sh: ok"
