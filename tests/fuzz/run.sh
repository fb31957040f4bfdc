#!/bin/sh
# Fuzzes every target (or those named) for SECONDS of processor time each, one process at a time at the lowest priority, and goes on
# from where it was, after crashes too. Several may run beside each other, with different targets.
#   cmake --preset fuzz && cmake --build build-fuzz
#   tests/fuzz/run.sh SECONDS [TARGET ...]        a line a target: build-fuzz/summary.txt; inputs that reached something new:
#                                                 build-fuzz/found/TARGET; crashes, hangs, leaks: build-fuzz/crash-TARGET-*
#   tests/fuzz/run.sh merge [TARGET ...]          the corpus anew: the fewest small inputs that reach the same code
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build-fuzz
what=${1:?SECONDS or merge}
shift
[ $# -gt 0 ] || set -- config target points results checkpoint h5
# HDF5 asks for what damaged headers say and lives with the refusal; what is really used is bounded by rss_limit_mb.
export ASAN_OPTIONS=allocator_may_return_null=1 OMP_NUM_THREADS=1 FLAVORDIFF_TARGETS="$root/targets"
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || export TMPDIR=/dev/shm
common="-rss_limit_mb=1500 -malloc_limit_mb=1048576 -timeout=300 -verbosity=1" # of wall time, which others may take

# Seconds of processor time that all children of this shell have had. Not in a subshell: that has other children.
processor_time() {
    times >"$build/$target.times"
    used=$(awk -F'[ms ]+' 'NR == 2 { printf "%d", $1 * 60 + $2 + $3 * 60 + $4 }' "$build/$target.times")
}

crashes() { find "$build" -maxdepth 1 -name "crash-$target-*" ! -name '*slow-unit*' | wc -l; }

# smallest OUT FOLDER...: the fewest inputs of the folders that reach what all of them do, in place of what OUT holds
smallest() {
    to=$1
    shift
    rm -rf "$build/$target.merged"
    mkdir "$build/$target.merged"
    # shellcheck disable=SC2086
    nice -n 19 "$build/$target" -merge=1 -use_counters=0 $common -max_len=$longest \
        -artifact_prefix="$build/crash-$target-" "$build/$target.merged" "$@" >>"$build/$target.log" 2>&1
    rm -f "$to"/*
    cp "$build/$target.merged"/* "$to"
    rm -rf "$build/$target.merged"
}

fuzz() {
    before=$(crashes) executions=0 left=$what
    processor_time
    start=$used
    # One process takes no more processor time than wall time: what is left of the first bounds the second.
    while [ "$left" -gt 0 ] && [ $(($(crashes) - before)) -lt 20 ]; do
        # shellcheck disable=SC2086
        nice -n 19 "$build/$target" -max_total_time="$left" $common -max_len=$longest -len_control=0 -print_final_stats=1 \
            -artifact_prefix="$build/crash-$target-" "$found" "$corpus" >"$build/$target.last" 2>&1 || true
        n=$(awk '/stat::number_of_executed_units/ { n = $2 } /^#[0-9]/ { last = substr($1, 2) } END { print n ? n : last + 0 }' "$build/$target.last")
        executions=$((executions + n))
        cat "$build/$target.last" >>"$build/$target.log"
        [ "$n" -gt 0 ] || { echo "$target does not start: see $build/$target.log"; exit 1; }
        processor_time
        left=$((what - used + start))
    done
    coverage=$(awk '{ for (i = 1; i < NF; i++) if ($i == "cov:") c = $(i + 1) } END { print c }' "$build/$target.last")
    smallest "$found" "$corpus" "$found"
    echo "$(date -u +%FT%TZ) $target: $executions executions in $((used - start)) s of processor time, coverage $coverage," \
        "$(($(crashes) - before)) crashes, hangs or leaks; $(find "$found" -type f | wc -l) inputs reach it" | tee -a "$build/summary.txt"
}

for name; do
    target=fuzz_$name
    corpus=$root/tests/fuzz/corpus/$target
    found=$build/found/$target
    longest=9000
    case $name in h5 | checkpoint) longest=200 ;; esac # a list of changes
    mkdir -p "$found" "$corpus"
    case $what in
    merge) smallest "$corpus" "$corpus" "$found" ;;
    *) fuzz ;;
    esac
done
