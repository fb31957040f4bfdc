#!/bin/sh
# Several ranks on one machine: files are those of one process for 1, 2 and 4 ranks; a rank that is killed leaves a checkpoint, no
# file, and nobody waiting; a failure of one rank is told once and ends all. Needs Open MPI or MPICH, and python3 with h5py.
# Usage: mpi.sh PATH_TO_FLAVORDIFF SOURCE_FOLDER MPIRUN
set -u
program=$(realpath "$1")
source=$(realpath "$2")
mpirun=$3
FLAVORDIFF_TARGETS=$source/targets SOURCE_DATE_EPOCH=1 OMP_NUM_THREADS=1
OMPI_MCA_mpi_yield_when_idle=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export FLAVORDIFF_TARGETS SOURCE_DATE_EPOCH OMP_NUM_THREADS OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM
export OMPI_MCA_mpi_yield_when_idle OMPI_MCA_rmaps_base_oversubscribe OMPI_MCA_hwloc_base_binding_policy
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0 passed=0
for python in python3 /usr/bin/python3 none; do "$python" -c 'import h5py' 2>/dev/null && break; done
[ "$python" != none ] || { echo "mpi.sh: python3 has no h5py; install python3-h5py"; exit 1; }

fail() { failed=$((failed + 1)); echo "FAIL: $*"; sed 's/^/  | /' log.txt | head -n 5; }
pass() { passed=$((passed + 1)); }
# ranks N ARGUMENTS...: the program in N ranks; 124 when they hang
ranks() {
    n=$1
    shift
    timeout -k 5 120 "$mpirun" -n "$n" "$program" "$@" >log.txt 2>&1
}
same() { # OTHER NAME WHAT: like the file of one process
    if "$python" "$source/tests/same.py" "whole-$2.h5" "$1" >log.txt 2>&1; then pass; else fail "$2, $3"; fi
    [ -z "$(find . -name '*.checkpoint*' -o -name '*.part')" ] || { fail "$2, $3: left over"; rm -f ./*.checkpoint* ./*.part; }
    rm -f "$1"
}
expect() { # CODE PATTERN N ARGUMENTS...: exit code, one line of this program, nothing left
    code=$1 pattern=$2
    shift 2
    ranks "$@"
    got=$?
    lines=$(grep -c '^flavordiff: ' log.txt)
    if [ "$got" -eq "$code" ] && [ "$lines" -eq 1 ] && grep -q -- "$pattern" log.txt && ! [ -e x.h5 ]; then pass
    else fail "exit $got, not $code, or not '$pattern' once: $*"; fi
}

small="--set network.widths=[64,64] --set network.activations=[selu,tanh] --set diffusion.steps=100
 --set sample.sampler.kind=ddim --set sample.sampler.steps=100 --set select.sampler.kind=ddim --set select.sampler.steps=20
 --set select.wanted=3000 --set select.chi2_all=1e9 --set select.chi2_mass=1e7 --set select.chi2_mixing=1e9
 --set informed.network.width=32 --set informed.network.hidden=2 --set informed.network.last=0 --set informed.draws.validation=256
 --set informed.train.batch=64 --set informed.train.updates=150 --set train.batch=150 --set tune.updates=150"
chains="--set reference.chains=40 --set reference.steps=1500 --set reference.burn_in=200"
"$program" simulate -q -n 4000 --set simulate.scan=0 -o pairs.h5 && "$program" train pairs.h5 -q -o net.h5 $small --set train.updates=300 ||
    exit 1

# ---- several ranks
whole() { # NAME ARGUMENTS...
    name=$1
    shift
    "$program" "$@" -q -o "whole-$name.h5" >log.txt 2>&1 || fail "$name: one process"
}
job() { # NAME "RANKS ..." ARGUMENTS...
    name=$1 numbers=$2
    shift 2
    whole "$name" "$@"
    for n in $numbers; do
        if ranks "$n" "$@" -q -o "$name.h5"; then same "$name.h5" "$name" "$n ranks"; else fail "$name, $n ranks"; fi
    done
}
job sample "1 2 4" sample net.h5 $small -n 30000
job rejection "1 2 4" reference -n 60000 --method rejection --set reference.cuts=none
job chains "1 2 4" reference -n 500 --method mcmc $chains
job train "1 2 4" train pairs.h5 $small --set train.updates=200
job until 3 sample net.h5 $small --set sample.until=3000 --max 20000 --set sample.keep_chi2_below=1e5 --set sample.label=window \
    --set sample.project.steps=20
job select 2 select net.h5 $small
job orbits 2 reference -n 3000
job tune 3 tune net.h5 pairs.h5 $small --set tune.frozen_layers=1
job informed 2 train-informed $small

# ---- a rank is killed, or all are asked to stop, when there is something to go on from; resumed with another number of ranks
pids_of_ranks() { # [0-9]*: which
    for p in $(pgrep -f "^$program "); do
        [ "$(readlink "/proc/$p/cwd")" = "$work" ] || continue # another's
        tr '\0' '\n' <"/proc/$p/environ" 2>/dev/null | grep -Eq "^(OMPI_COMM_WORLD_RANK|PMI_RANK)=$1\$" && echo "$p"
    done
}
case $("$mpirun" --version) in # MPICH's mpiexec, after it handed on a signal, ends now and then with 0 where all ranks ended with 75
*HYDRA*) lossy=yes ;;
*) lossy=no ;;
esac
late=0
broken() { # NAME HOW N RANKS_AFTER ARGUMENTS...: HOW: rank to be killed, signal for mpirun, all: SIGTERM for every rank
    name=$1 how=$2 n=$3 after=$4
    shift 4
    timeout -k 5 120 "$mpirun" -n "$n" "$program" "$@" -q -o "$name.h5" --checkpoint-every 0.02 >log.txt 2>&1 &
    shell=$!
    tries=0
    while [ "$(stat -c %s "$name.h5.checkpoint" 2>/dev/null || echo 0)" -lt 20000 ] && [ $tries -lt 1000 ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
    launcher=$(pgrep -P "$shell") # of timeout
    case $how in
        [0-9]) stopped=no; kill -9 "$(pids_of_ranks "$how")" ;;
        all) stopped=yes; kill -TERM $(pids_of_ranks '[0-9]*') ;;
        USR1) stopped=yes; kill -USR1 "$launcher" ;;
        *) stopped=no; kill "-$how" "$launcher" ;;
    esac
    wait "$shell"
    got=$?
    if [ -e "$name.h5" ] && [ "$late" -lt 5 ]; then # it was done before it was stopped: then nothing may be wrong with it, and again
        late=$((late + 1))
        same "$name.h5" "$name" "$how of $n, which came too late"
        broken "$name" "$how" "$n" "$after" "$@"
        return
    fi
    late=0
    [ "$got" -eq 0 ] && [ "$lossy" = yes ] && got=75
    if [ "$got" -eq 0 ] || [ "$got" -eq 124 ] || { [ "$stopped" = yes ] && [ "$got" -ne 75 ]; } || [ -e "$name.h5" ] ||
        ! [ -s "$name.h5.checkpoint" ]; then
        fail "$name, $how of $n: exit $got"
        rm -f "$name.h5"*
        return
    fi
    pass
    if [ "$after" -eq 0 ]; then "$program" "$@" -q -o "$name.h5" --resume >log.txt 2>&1
    else ranks "$after" "$@" -q -o "$name.h5" --resume; fi || { fail "$name, resumed by $after"; return; }
    rm -f "$name.h5.part"
    same "$name.h5" "$name" "$how of $n, resumed by $after"
}
whole long sample net.h5 $small -n 150000
broken long 0 2 3 sample net.h5 $small -n 150000
broken long 1 3 0 sample net.h5 $small -n 150000
broken long USR1 2 4 sample net.h5 $small -n 150000
broken long TERM 2 1 sample net.h5 $small -n 150000
whole slow train pairs.h5 $small --set train.batch=1024 --set train.updates=400
broken slow 1 2 4 train pairs.h5 $small --set train.batch=1024 --set train.updates=400
broken slow 0 4 0 train pairs.h5 $small --set train.batch=1024 --set train.updates=400
broken slow USR1 2 2 train pairs.h5 $small --set train.batch=1024 --set train.updates=400
whole reject reference -n 400000 --method rejection --set reference.cuts=none
broken reject 1 2 0 reference -n 400000 --method rejection --set reference.cuts=none
whole walk reference -n 500 --method mcmc --set reference.chains=40 --set reference.steps=10000
broken walk all 3 2 reference -n 500 --method mcmc --set reference.chains=40 --set reference.steps=10000
broken walk 0 2 3 reference -n 500 --method mcmc --set reference.chains=40 --set reference.steps=10000

# ---- failures
expect 2 'simulate: runs in one process; verbs .* 2 ranks: train, ' 2 simulate -n 10 -o x.h5
expect 2 'sample: expected NETWORK.h5' 3 sample -o x.h5
expect 1 'nothing.h5: cannot open' 3 sample nothing.h5 -o x.h5
expect 3 'pairs.h5' 2 sample pairs.h5 -n 10 -o x.h5
expect 75 'max-time reached.*--resume' 2 train pairs.h5 -o x.h5 $small --max-time 1e-9
rm -f x.h5.checkpoint
mkdir empty
real=$program program=$work/wrapped
cat >wrapped <<END2
#!/bin/sh
case \$OMPI_COMM_WORLD_RANK\$PMI_RANK in
0) \$ZERO ;;
1) \$ONE ;;
esac
exec $real "\$@"
END2
chmod +x wrapped
ONE="cd empty" ZERO=true && export ONE ZERO
expect 3 'rank 1: program, kernels .* or inputs are not as on rank 0' 2 sample net.h5 -n 10 -o x.h5
ONE="export FLAVORDIFF_CPU=portable"
expect 3 'rank 1: program, kernels .* or inputs are not as on rank 0' 2 reference -n 10 -o x.h5
ONE=true ZERO="ulimit -f 200" OMPI_MCA_btl=self,tcp UCX_TLS=self,sysv && export OMPI_MCA_btl UCX_TLS # shared memory is files too
expect 1 'x.h5.*File too large' 3 sample net.h5 $small -n 100000 -o x.h5

# ---- the Slurm example, where srun is mpirun
program=$real
mkdir bin job
ln -s "$program" bin/flavordiff
cp net.h5 job
cat >bin/srun <<END2
#!/bin/sh
while [ "\${1#-}" != "\$1" ]; do shift; done
exec "$mpirun" -n 2 "\$@"
END2
chmod +x bin/srun
unset OMPI_MCA_btl UCX_TLS
if (cd job && PATH=$work/bin:$PATH NETWORK=net.h5 SAMPLES=30000 SETTINGS="$small" bash "$source/examples/slurm/mpi.sbatch") >log.txt 2>&1; then
    same job/samples.h5 sample "mpi.sbatch"
else fail "mpi.sbatch"; fi

echo "mpi.sh: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
