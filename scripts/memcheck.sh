#!/bin/sh
# The tests of a build folder under valgrind's memcheck; any error, or memory lost for good, is a failure.
# Usage: scripts/memcheck.sh BUILD [TEST...]; without names the test programs that read, write and keep things; all: every test
# program, and the command line and its bad inputs with the program itself under memcheck.
# What is suppressed, and why: scripts/memcheck.supp. valgrind 3.19 knows no AVX-512 and takes a thousand times as long over fused
# multiply-adds, so the kernels are the portable ones; one thread, for libgomp keeps its threads' memory to the end.
set -eu
source=$PWD
build=$(realpath "$1")
shift
[ $# -gt 0 ] || set -- test_base test_config test_target test_files test_checkpoint test_ledger test_claims
[ "$*" != all ] || set -- $(cd "$build" && find . -maxdepth 1 -name 'test_*' -type f -perm -u+x -printf '%f\n' | sort) cli bad_inputs
# GOMP_SPINCOUNT, else the program sets it and begins once more, without valgrind.
export FLAVORDIFF_CPU=portable OMP_NUM_THREADS=1 GOMP_SPINCOUNT=3000 FLAVORDIFF_TARGETS="$source/targets"
check="valgrind -q --suppressions=$source/scripts/memcheck.supp --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect"
printf '#!/bin/sh\nexec %s %s "$@"\n' "$check" "$build/flavordiff" >"$build/flavordiff-memcheck"
chmod +x "$build/flavordiff-memcheck"
failed=0
cd "$build"
for name; do
    case $name in
    test_*) set -- $check "./$name" ;;
    *) set -- sh "$source/tests/$name.sh" "$build/flavordiff-memcheck" "$source" ;;
    esac
    if "$@" >memcheck.log 2>&1; then
        echo "$name: nothing found"
    else
        cat memcheck.log
        echo "$name: failed"
        failed=1
    fi
done
exit $failed
