#!/bin/sh
# Every export is read back by the tool it is for. Usage: export.sh PATH_TO_FLAVORDIFF SOURCE_FOLDER
set -u
program=$(realpath "$1")
source=$(realpath "$2")
FLAVORDIFF_TARGETS=$source/targets
export FLAVORDIFF_TARGETS
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0
wrong() {
    failed=$((failed + 1))
    echo "FAIL: $*"
}
fd() { "$program" "$@" 2>err.txt; }
for ordering in no io; do
    [ $ordering = no ] && rows=1500 || rows=100 # those of inverted ordering are rarer
    fd reference -n $rows --target paper-table1-$ordering -o $ordering.h5 >/dev/null || wrong "reference: $(cat err.txt)"
    for format in csv npz getdist slha nufit; do
        fd export $ordering.h5 --format $format || wrong "export $format: $(cat err.txt)"
        fd export $ordering.h5 --format $format && wrong "export $format replaced a file without --force"
        grep -q 'exists already' err.txt || wrong "message: $(cat err.txt)"
    done
    # evaluate reads the CSV, and says of every point what the export says.
    fd evaluate $ordering.csv --target paper-table1-$ordering >evaluated.csv || wrong "evaluate: $(cat err.txt)"
    cut -d, -f24-52 $ordering.csv | cut -d, -f1-28 >ours.csv
    cut -d, -f1-28 evaluated.csv >theirs.csv
    cmp -s ours.csv theirs.csv || wrong "evaluate and export differ: $(diff ours.csv theirs.csv | head -n 3)"
done
fd simulate -n 1500 -o pairs.h5 >/dev/null
fd export pairs.h5 --format csv && wrong "prior draws were taken for solutions"
fd export pairs.h5 --format csv --all-rows -o all.csv && [ "$(wc -l <all.csv)" -eq 1501 ] || wrong "--all-rows: $(cat err.txt)"
fd export no.h5 --format csv -n 7 -o /dev/stdout | cat >seven.csv; [ "$(wc -l <seven.csv)" -eq 8 ] || wrong "-n 7: $(cat err.txt)"
head -n 8 no.csv | cmp -s - seven.csv || wrong "-n takes other rows than the first"
fd export no.h5 --format xml -o x && wrong "--format xml"
fd export no.h5 --format npz -o no/such/folder.npz && wrong "a folder that is not there"
[ -w /dev/full ] && fd export no.h5 --format csv -o /dev/full && wrong "a full disk is no failure"
[ ! -e x ] && [ -z "$(find . -name '*.part')" ] || wrong "something is left: $(ls)"

python=$(for p in python3 /usr/bin/python3; do $p -c 'import h5py, numpy' 2>/dev/null && echo $p && break; done)
if [ -n "$python" ]; then
    for ordering in no io; do "$python" "$source/tests/read_back.py" $ordering || wrong "read_back.py $ordering"; done
else
    echo "SKIPPED: exports were not read back, python3-h5py or python3-numpy is missing (scripts/setup.sh)"
fi
[ "$failed" -eq 0 ]
