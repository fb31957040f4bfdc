#!/bin/sh
# Runs the table of bad inputs, tests/bad_inputs.txt: every command must end with its exit code and exactly one line on
# standard error that holds its message, and must leave nothing behind. Usage: bad_inputs.sh PATH_TO_FLAVORDIFF SOURCE_FOLDER
set -u
program=$(realpath "$1")
source=$(realpath "$2")
FLAVORDIFF_TARGETS=$source/targets
export FLAVORDIFF_TARGETS
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
fd() { "$program" "$@" >made.txt 2>&1 || { echo "bad_inputs.sh: setting up failed: $*"; cat made.txt; exit 1; }; }

# ---- good files, small
tiny="--set network.widths=[8] --set train.updates=3 --set diffusion.steps=5 --set sample.sampler.steps=5 --set select.sampler.steps=5
 --set before.sampler.steps=5"
fd simulate -n 200 -o pairs.h5
fd train pairs.h5 -o net.h5 $tiny
fd train-informed -o informed.h5 --set informed.network.width=8 --set informed.network.hidden=1 --set informed.train.updates=2 \
    --set informed.train.batch=8 --set informed.draws.from=prior --set informed.draws.validation=8
fd reference -n 40 -o ref.h5
fd reference -n 40 --seed 9 --set reference.cluster=0.5 -o ref9.h5
fd analyse ref.h5 -o analysis
params=re_Y_1e,re_Y_1mu,re_Y_1tau,re_Y_2e,re_Y_2mu,re_Y_2tau,re_Y_3e,re_Y_3mu,re_Y_3tau
params=$params,im_Y_1e,im_Y_1mu,im_Y_1tau,im_Y_2e,im_Y_2mu,im_Y_2tau,im_Y_3e,im_Y_3mu,im_Y_3tau,r1,r2,k,arg_M1,arg_M2
row=0.1,0.2,-0.3,0.4,0.5,0.6,-0.7,0.8,0.9,0.1,-0.2,0.3,0.4,-0.5,0.6,0.7,0.8,-0.9,0.2,0.5,-2.3,1.0,-2.0
csv() { printf "$2" "$params" "$row" >"$1.csv"; }
csv good '%s\n%s\n'

# ---- bad ones
: >empty.h5
: >empty.csv
mkdir folder
echo 're_Y_1e,re_Y_1mu' >text.h5
head -c 3000 pairs.h5 >cut.h5
head -c 3000 net.h5 >cut-net.h5
size=$(wc -c <pairs.h5)
{ head -c $((size / 2)) pairs.h5; printf 'X'; tail -c +$((size / 2 + 2)) pairs.h5; } >flipped.h5
printf '\211HDF\r\n\032\nrest of nothing' >torn.h5
mkdir gap-samples gap-ledger
cp torn.h5 gap-samples/samples.h5
echo '[' >gap-ledger/ledger.json
echo "$params" >header.csv
csv wide '%s\n%s,7\n'
csv quote '%s\n"%s\n'
csv nul '%s\n%s\0,7\n'
for bad in nan:nan inf:-inf word:0x huge:1e999 blank: hex:0.1.2; do
    printf '%s\n%s,%s\n' "$params" "${bad#*:}" "${row#*,}" >"${bad%%:*}.csv"
done
printf '%s\n%s\n' "$(echo "$params" | sed 's/,k,/,/')" "$row" >nok.csv
printf 'k,%s\n1,%s\n' "$params" "$row" >twok.csv
{ head -c 5000 /dev/zero | tr '\0' ','; echo; } >commas.csv
head -c 2000000 /dev/zero | tr '\0' ',' >endless.csv
printf 'sample:\n  steeps: 3\n' >unknown.yaml
printf 'train:\n  batch: 0\n' >range.yaml
printf 'seed: [\n' >open.yaml
printf 'seed: 1\nseed: 2\n' >twice.yaml
printf 'a: &x 1\nseed: *x\n' >alias.yaml
printf 'seed: 1\n---\nseed: 2\n' >two.yaml
printf 'seed: 1\0\n' >nul.yaml
printf 'seed: \377\n' >latin.yaml
printf '%s\n' '- seed' >list.yaml
printf 'train: 5\n' >scalar.yaml
printf 'train:\n  max_rate: .nan\n' >nan.yaml
printf 'network:\n  widths: [8, 8]\n  activations: [selu]\n' >activations.yaml
head -c 1100000 /dev/zero | tr '\0' '#' >large.yaml
target() { sed "$2" "$source/targets/paper-table1-no.yaml" >"$1.yaml"; }
target t-swapped 's/lo: 6.82e-5, hi: 8.03e-5/lo: 8.03e-5, hi: 6.82e-5/'
target t-unit 's/dm21_eV2, group: mass, unit: eV2/dm21_eV2, group: mass, unit: eV/'
target t-sign 's/^ordering: normal/ordering: inverted/'
target t-nan 's/best: 0.308/best: .nan/'
target t-observable 's/observable: s13sq/observable: s99sq/'
target t-group 's/s12sq, group: angle/s12sq, group: mass/'
target t-missing '/^ordering/d'
target t-confidence 's/confidence: 0.997/confidence: 99.7/'
target t-word 's/best: 0.308/best: big/'

# ---- the table
passed=0
failed=0
complain() {
    failed=$((failed + 1))
    echo "FAIL: flavordiff $command"
    echo "  $1"
    sed 's/^/  | /' err.txt | head -n 5
}
while IFS='|' read -r exit message command; do
    case $exit in '' | '#'*) continue ;; esac
    exit=$(echo $exit) command=${command# } message=${message# } message=${message% }
    eval "timeout 60 \"\$program\" $command" >out.txt 2>err.txt </dev/null
    got=$?
    if [ "$got" -ne "$exit" ]; then complain "exit $got, the table says $exit"
    elif ! grep -Fq -- "$message" err.txt; then complain "the message lacks: $message"
    elif [ "$(wc -l <err.txt)" -ne 1 ] || ! grep -q '^flavordiff: ' err.txt; then complain "not one line that begins with 'flavordiff: '"
    elif ls x* *.part folder/* >/dev/null 2>&1; then complain "left behind: $(ls -d x* *.part folder/* 2>/dev/null)"
    else passed=$((passed + 1)); fi
done <"$source/tests/bad_inputs.txt"
echo "bad_inputs.sh: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -ge 60 ]
