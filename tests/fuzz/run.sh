#!/bin/sh
# Fuzzes every target (or those named) for SECONDS each, one process at a time, and goes on from where it was.
#   cmake --preset fuzz && cmake --build build-fuzz
#   tests/fuzz/run.sh SECONDS [TARGET ...]        found inputs: build-fuzz/found/TARGET, crashes: build-fuzz/crash-TARGET-*
#   tests/fuzz/run.sh merge [TARGET ...]          the corpus anew: the fewest small inputs that reach the same code
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
what=${1:?SECONDS or merge}
shift
[ $# -gt 0 ] || set -- config target points results h5
# HDF5 asks for what damaged headers say and lives with the refusal; what is really used is bounded by rss_limit_mb.
export ASAN_OPTIONS=allocator_may_return_null=1 OMP_NUM_THREADS=1 FLAVORDIFF_TARGETS="$root/targets"
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || export TMPDIR=/dev/shm
for name; do
    target=fuzz_$name
    corpus=$root/tests/fuzz/corpus/$target
    found=$root/build-fuzz/found/$target
    longest=9000
    [ "$name" != h5 ] || longest=200 # a list of changes
    mkdir -p "$found" "$corpus"
    common="-rss_limit_mb=1500 -malloc_limit_mb=0 -timeout=60 -verbosity=1"
    if [ "$what" = merge ]; then
        mkdir -p "$root/build-fuzz/merged"
        rm -rf "$root/build-fuzz/merged/$target"
        mkdir "$root/build-fuzz/merged/$target"
        # shellcheck disable=SC2086
        "$root/build-fuzz/$target" -merge=1 -use_counters=0 $common -max_len=$longest "$root/build-fuzz/merged/$target" "$corpus" "$found"
        rm -f "$corpus"/*
        cp "$root/build-fuzz/merged/$target"/* "$corpus"
    else
        # shellcheck disable=SC2086
        nice -n 19 "$root/build-fuzz/$target" -max_total_time="$what" $common -max_len=$longest -len_control=0 -print_final_stats=1 \
            -artifact_prefix="$root/build-fuzz/crash-$target-" "$found" "$corpus"
    fi
done
