#!/bin/sh
# clang-tidy (.clang-tidy) and cppcheck (scripts/cppcheck.txt) over src, include and examples; any finding is an error.
# Usage: scripts/lint.sh [build folder]
set -euf
build=${1:-build-lint}
jobs=$(nproc 2>/dev/null || echo 2)
failed=0

mpi=ON all='src/*.c'
command -v mpicc >/dev/null 2>&1 || mpi=OFF all='src/*.c :!src/mpi' # which needs the header of an MPI library
CC=clang cmake -S . -B "$build" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON -DFLAVORDIFF_MPI=$mpi >/dev/null
# One file a process: with several the analyser of clang 14 reports va_lists that are in order. What is inside a function it counts
# but does not tell goes to standard error.
git ls-files $all | xargs -P "$jobs" -n 1 clang-tidy -p "$build" --quiet 2>/dev/null || failed=1
clang-tidy --quiet examples/solutions.c -- -Iinclude -std=gnu17 2>/dev/null || failed=1

mkdir -p "$build/cppcheck"
git ls-files 'src/*.c' 'examples/*.c' |
    cppcheck --file-list=- -Iinclude -Isrc --std=c11 --library=posix --enable=warning,performance,portability,style \
        --suppressions-list=scripts/cppcheck.txt --cppcheck-build-dir="$build/cppcheck" -j "$jobs" -q --error-exitcode=1 || failed=1

[ "$failed" -eq 0 ] && echo "lint: nothing found" || echo "lint: something is found"
exit "$failed"
