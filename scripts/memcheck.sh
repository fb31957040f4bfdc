#!/bin/sh
# Test programs of a build folder under valgrind's memcheck; any error, or memory lost for good, is a failure.
# Usage: scripts/memcheck.sh BUILD [test...]; without names those that read, write and keep things.
# valgrind 3.19 knows no AVX-512, so the kernels are those of AVX2, and one thread: libgomp keeps its threads' memory to the end.
set -eu
build=$1
shift
[ $# -gt 0 ] || set -- test_base test_config test_target test_files test_checkpoint test_ledger test_claims
export FLAVORDIFF_CPU=avx2 OMP_NUM_THREADS=1 FLAVORDIFF_TARGETS="$PWD/targets"
failed=0
cd "$build"
for name; do
    if valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect "./$name" >memcheck.log 2>&1
    then echo "$name: nothing found"
    else
        cat memcheck.log
        echo "$name: failed"
        failed=1
    fi
done
exit $failed
