#!/bin/sh
# The command line as a user meets it: each case is a command, the exit code it must give and a pattern its output must
# hold. Bad inputs have a table of their own, bad_inputs.txt. Usage: cli.sh PATH_TO_FLAVORDIFF SOURCE_FOLDER
set -u
program=$(realpath "$1")
source=$(realpath "$2")
FLAVORDIFF_TARGETS=$source/targets
export FLAVORDIFF_TARGETS
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0
failed=0

# expect EXIT PATTERN COMMAND... : both streams together are searched for the extended regular expression.
expect() {
    want=$1 pattern=$2
    shift 2
    "$@" >out.txt 2>&1 </dev/null
    got=$?
    if [ "$got" -ne "$want" ] || ! grep -Eq -- "$pattern" out.txt; then
        failed=$((failed + 1))
        echo "FAIL: $*"
        echo "  exit $got, wanted $want; wanted /$pattern/ in:"
        sed 's/^/  | /' out.txt | head -n 12
    else
        passed=$((passed + 1))
    fi
    # An error is one line.
    if [ "$want" -ne 0 ] && [ "$(grep -c '^flavordiff: ' out.txt)" -ne 1 ]; then
        failed=$((failed + 1))
        echo "FAIL: not exactly one error line: $*"
        sed 's/^/  | /' out.txt | head -n 12
    fi
}
fd() { "$program" "$@"; }
absent() { for f in "$@"; do [ ! -e "$f" ] || { failed=$((failed + 1)); echo "FAIL: $f should not be there"; }; done; }
same() { cmp -s "$1" "$2" || { failed=$((failed + 1)); echo "FAIL: $1 and $2 differ"; }; }

# ---- help and usage
expect 0 'usage: flavordiff VERB' fd
expect 0 'usage: flavordiff sample' fd help sample
expect 0 'usage: flavordiff train' fd train --help
expect 0 'flavordiff [0-9.]+ \(revision' fd --version
expect 0 '^## evaluate' fd help --markdown
fd help --markdown >verbs.md
same verbs.md "$source/docs/verbs.md" # make docs
expect 0 'points +/s +\[.*normals' sh -c "'$program' bench --only labels,noise --seconds 0.02 -j 1 | tr '\n' ' '"
expect 0 '"fraction": [0-9.]+' fd bench --only sample --seconds 0.02 --json --set network.widths=[32,32] --set network.activations=[selu,tanh]
expect 2 'no option --colour' fd sample --colour x.h5
expect 2 'one argument too many' fd train a b
expect 0 'gamma|guidance' fd sample x.h5 --dry-run
fd sample x.h5 --sampler dpmpp_2m --steps=20 --steps 12 --grid karras --guidance 1.5 --dry-run >keyed.yaml
fd sample x.h5 --set sample.sampler.kind=dpmpp_2m --set sample.sampler.steps=12 --set sample.sampler.grid=karras \
    --set sample.guidance=1.5 --dry-run >set.yaml
same keyed.yaml set.yaml
expect 2 'select.sampler.steps' fd select x.h5 --steps 0 -o s.h5
expect 2 'no option --steps' fd train p.h5 --steps 5 -o n.h5

# ---- evaluate
params=re_Y_1e,re_Y_1mu,re_Y_1tau,re_Y_2e,re_Y_2mu,re_Y_2tau,re_Y_3e,re_Y_3mu,re_Y_3tau
params=$params,im_Y_1e,im_Y_1mu,im_Y_1tau,im_Y_2e,im_Y_2mu,im_Y_2tau,im_Y_3e,im_Y_3mu,im_Y_3tau,r1,r2,k,arg_M1,arg_M2
row=0.1,0.2,-0.3,0.4,0.5,0.6,-0.7,0.8,0.9,0.1,-0.2,0.3,0.4,-0.5,0.6,0.7,0.8,-0.9,0.2,0.5,-2.3,1.0,-2.0
printf '%s\n%s\n' "$params" "$row" >point.csv
expect 0 '^m1_eV,m2_eV,m3_eV,dm21_eV2,dm3l_eV2,s12sq,s13sq,s23sq,delta_rad,alpha21_rad,alpha31_rad,eta_rad,jarlskog,sum_m_eV,mbb_eV,mnue_eV,U_e1,.*,U_tau3,M1_GeV,M2_GeV,M3_GeV,chi2,inside_3sigma$' fd evaluate point.csv
fd evaluate point.csv >a.csv
fd evaluate - <point.csv >b.csv
same a.csv b.csv
printf 'name,%s\r\n"a, b",%s\r\n\r\n' "$params" "$row" | fd evaluate - >c.csv # extra column, quotes, CRLF, blank line
same a.csv c.csv
expect 0 '"inside_3sigma": 0' fd evaluate --json point.csv
expect 0 'm1_eV' fd evaluate point.csv --target nufit-6.0-ic24-io
fd evaluate "$source/examples/points.csv" --target nufit-6.0-ic24-no >ci.csv # Casas-Ibarra points: inside, inside, a draw
[ "$(grep -c ',1$' ci.csv)" -eq 2 ] && [ "$(grep -c ',0$' ci.csv)" -eq 1 ] || {
    failed=$((failed + 1))
    echo "FAIL: examples/points.csv: $(cat ci.csv)"
}
printf '%s\n%s\n' "$params" "$(echo "$row" | sed 's/,0.2,0.5,-2.3,/,0,0.5,-2.3,/')" >zero.csv
expect 0 '1 of 1 points have no finite labels' fd evaluate zero.csv
expect 5 '1 of 1 points have no finite labels.*outside the prior' fd evaluate --strict zero.csv
expect 1 'Is a directory' fd evaluate /
printf '%s\n%s\n' "$params" "$(echo "$row" | sed 's/,-2.3,/,7,/')" >outside.csv
expect 0 '1 of 1 points lie outside the prior.*k = 7' fd evaluate outside.csv
expect 5 '1 of 1 points lie outside the prior' fd evaluate outside.csv --strict
expect 3 'this is not a CSV file' fd evaluate /bin/sh # a program
[ -w /dev/full ] && expect 1 'standard output: No space left' sh -c "'$program' evaluate point.csv >/dev/full"

# ---- the chain, small
small="--set network.widths=[32,32] --set network.activations=[selu,tanh] --set train.updates=300 --set diffusion.steps=50
 --set sample.sampler.kind=ddim --set sample.sampler.steps=10 --set select.sampler.kind=ddim --set select.sampler.steps=10
 --set select.max_generated=4000 --set select.wanted=200 --set select.chi2_all=1e9 --set select.chi2_mass=1e7
 --set before.sampler.kind=ddim --set before.sampler.steps=10 --set simulate.pairs=4000 --set before.n=500
 --set sample.n=1000 --set simulate.scan=2000"
expect 0 'simulate: 4000 pairs' fd simulate -o pairs.h5 $small
expect 1 'pairs.h5: exists already' fd simulate -o pairs.h5 $small
expect 0 'train: 300 updates' fd train pairs.h5 -o net.h5 $small
expect 0 'select: 200 of' fd select net.h5 -o selected.h5 $small
expect 0 'tune: 300 updates' fd tune net.h5 selected.h5 -o tuned.h5 $small
expect 0 'sample: 1000 samples' fd sample tuned.h5 -o samples.h5 $small
expect 0 '.' fd analyse samples.h5 -o analysis
expect 0 '.' fd plot analysis -o plots
# options of sample go to the block of the network's kind
expect 0 'train-informed|informed.h5' fd train-informed -o informed.h5 --set informed.network.width=16 \
    --set informed.network.hidden=1 --set informed.train.updates=20 --set informed.train.batch=32 \
    --set informed.draws.from=prior --set informed.draws.validation=64
expect 0 'sample: 64 samples' fd sample informed.h5 -n 64 --sampler heun --steps 3 --guidance 2 -o of-informed.h5
expect 0 'Heun, 3 steps, log-SNR grid.*gamma = 2 .*; 10 evaluations of the network a sample' fd info of-informed.h5
expect 0 'sample: 100 samples' fd sample net.h5 -n 100 -o all-steps.h5 # a network of 50 steps: all means 50
few="--set calibrate.samples=7 --set informed.draws.from=prior"
expect 0 'of 36 quantities outside the 99 % band' fd calibrate informed.h5 -n 20 -o calibration $few
for f in calibration.json calibration.csv calibration-ecdf.csv calibration.png calibration.pdf calibration.gp; do
    [ -s calibration/$f ] || { failed=$((failed + 1)); echo "FAIL: calibration/$f is missing"; }
done
expect 0 'reference: 60 exact' fd reference -n 60 -o exact.h5
expect 0 '^ +1\.5 ' fd distortion informed.h5 exact.h5 -n 80 -o distortion $few --set distortion.gammas=[1,1.5] --set distortion.draws=12
[ "$(wc -l <distortion/distortion.csv)" -eq 3 ] || { failed=$((failed + 1)); echo "FAIL: distortion.csv has not three lines"; }
for f in distortion.png distortion.pdf gamma-1.h5 gamma-1.5.h5; do
    [ -s distortion/$f ] || { failed=$((failed + 1)); echo "FAIL: distortion/$f is missing"; }
done
expect 3 'informed.h5' fd distortion informed.h5 informed.h5 -n 80 -o x $few
expect 0 '^Truths: the prior\. Samples: DDIM, 10 steps.*label of truth' fd calibrate net.h5 -n 20 -o of-net $small $few
expect 1 'calibration.gp: exists already' fd calibrate informed.h5 -n 20 -o calibration $few
expect 3 'pairs.h5' fd calibrate pairs.h5 -o x $few
absent x
# stop rules
expect 0 'sample: 20 solutions, complete with sample .*unbiased' fd sample net.h5 -o until.h5 --until 20 $small --set sample.project.steps=10 \
    --set sample.label=window --set sample.guidance=1
expect 5 'after max_generated = 300 samples, fewer than asked for .*raise --max' fd sample net.h5 -o never.h5 --until 20 --max 300 $small
expect 0 'role +generated' fd info never.h5
expect 2 'give one of them' fd sample net.h5 -o x.h5 --until 20 -n 10
expect 2 'sample.until=-1' fd sample net.h5 -o x.h5 --until -1
expect 2 'no option --until' fd select net.h5 -o x.h5 --until 20
expect 2 'sampler.steps: 60, but net.h5 was trained with 50 steps' fd sample net.h5 -n 9 -o x.h5 --set sample.sampler.steps=60
expect 3 'made with another model' fd sample net.h5 -n 9 -o x.h5 --set model.vev_GeV=174
expect 3 'made with another model' fd train pairs.h5 -o x.h5 --set model.real_majorana=true
expect 2 'is an input of this command too' fd train pairs.h5 -o pairs.h5 -f
expect 2 'no option -t' fd train pairs.h5 -o x.h5 -t paper-table1-io
expect 2 'no option -o' fd report r -o other.html
expect 0 'DDPM, 7 steps, sigma.2 = beta; network in bfloat16; guidance' sh -c '"$0" sample net.h5 -n 100 --steps 7 --precision bf16 -o bf16.h5 && "$0" info bf16.h5' "$program"
expect 0 'kernels: portable; on this machine: .*portable' fd version --cpu portable
expect 2 'FLAVORDIFF_CPU=AVX2: no such kernel set' env FLAVORDIFF_CPU=AVX2 "$program" version
for f in pairs net selected tuned samples; do
    expect 0 'flavordiff-(samples|network)' fd info $f.h5
    expect 0 '"format"' fd info --json $f.h5
    absent $f.h5.part
done
expect 0 'dm21_eV2' fd info paper-table1-no
expect 1 'none of 4000 generated samples passes' fd select net.h5 -o none.h5 $small --set select.chi2_all=1e-9
absent none.h5 none.h5.part

expect 0 'reference: 40 exact solutions from [0-9]+ of [0-9]+ orbits' fd reference -n 40 -o ref.h5 -j 1
expect 0 'reference: 40 exact' fd reference -n 40 -o ref2.h5 -j 2
expect 0 'role +reference' fd info ref.h5
expect 1 'ref.h5: exists already' fd reference -n 40 -o ref.h5
expect 0 'method: rejection' fd reference --method rejection --dry-run
expect 2 'no option --method' fd simulate --method orbit -o x.h5
expect 0 'NOT CONVERGED after' fd reference --method mcmc -n 64 --set reference.chains=4 --set reference.steps=64 --set reference.burn_in=32 -o chains.h5
expect 5 'not converged after' fd reference --method mcmc -n 64 --set reference.chains=4 --set reference.steps=64 --set reference.burn_in=32 -o chains.h5 -f --strict
expect 1 'ref.h5: 40 solutions.*at least 100' fd exact ref.h5 -o x.h5
expect 3 'ref.h5: .*paper-table1-io' fd exact ref.h5 -t paper-table1-io -o x.h5
expect 0 '.' fd analyse ref.h5 -o ref-analysis
expect 0 '.' fd reference -n 50 --seed 2 -o part.h5
expect 0 'merge: 90 rows of 2 files, 90 samples -> merged.h5' fd merge ref.h5 part.h5 -o merged.h5
expect 0 'rows +90' fd info merged.h5
expect 0 '^    n: 40$' fd info merged.h5
expect 0 '^ok +ref.h5' fd info --verify merged.h5
expect 0 '^seed +1 . 2' fd diff ref.h5 part.h5
expect 0 '"key": "reference.n"' fd diff --json ref.h5 part.h5
expect 0 '90 solutions' fd analyse merged.h5 -o merged-analysis
expect 0 'merged.h5 .90 rows.' fd compare pairs.h5 merged.h5 --all-rows --permutations 0
expect 0 '90 rows of merged.h5 as csv' fd export merged.h5 --format csv
expect 0 '"state": "ok"' fd info --verify --json merged.h5
cp "$FLAVORDIFF_TARGETS/paper-table1-no.yaml" copy.yaml
expect 0 '.' fd reference -t copy.yaml -n 20 --seed 3 -o copy.h5
expect 0 'merge: 60 rows' fd merge ref.h5 copy.h5 -o by-content.h5
rm part.h5
expect 1 'of the 2 files behind it 0 changed, 1 missing, the first: part.h5' fd info --verify merged.h5
expect 75 '--max-time reached' fd reference -n 1e9 -o x.h5 --max-time 0.3
rm x.h5.checkpoint
absent x.h5 x.h5.part

expect 0 '^0 of 52 quantities outside the 99 % null; 0.5 are expected by chance' fd compare ref.h5 ref2.h5
expect 0 '^ref2.h5 \(30 rows\) against the reference ref.h5 \(30 rows\), solutions inside the prior' fd compare ref.h5 ref2.h5 -n 30
expect 0 '"outside": 0' fd compare ref.h5 ref2.h5 pairs.h5 --json --all-rows
expect 0 '^"pairs.h5",k,dex,parameter,0,40,4000,.*,1$' fd compare ref.h5 pairs.h5 --csv --all-rows
expect 0 'all finite rows' fd compare ref.h5 pairs.h5 --all-rows
fd compare ref.h5 ref2.h5 -o compare.txt
expect 1 'compare.txt: exists already' fd compare ref.h5 ref2.h5 -o compare.txt
expect 1 'pairs.h5: no row is a solution inside the prior; --all-rows' fd compare ref.h5 pairs.h5
expect 3 'net.h5' fd compare ref.h5 net.h5
expect 0 '^classifier: fewer than 50 rows in a set' fd compare ref.h5 ref2.h5
expect 0 '^verdict: not told apart from the reference' fd compare ref.h5 ref2.h5
expect 0 '^classifier: right in 0.* of 60 . 60 rows .*[(]2 dealings' fd compare pairs.h5 pairs.h5 --all-rows -n 60 --classified 60 --permutations 2
expect 0 '^verdict' fd compare ref.h5 ref2.h5 --figures sets --corner r1,mbb_eV
for f in parameters observables corner; do expect 0 'PNG' head -c 4 sets/$f.png; done
expect 1 'sets/parameters.gp: exists already' fd compare ref.h5 ref2.h5 --figures sets
expect 2 "corner: no quantity 'm4_eV'" fd compare ref.h5 ref2.h5 --figures other --corner r1,m4_eV
absent other
expect 0 'alpha21_rad .* the prior' fd attribute ref.h5 -n 200 -o attribution
expect 1 'prior.h5: exists already' fd attribute ref.h5 -n 200 -o attribution
expect 2 "reference.cuts.*'some' is not possible" fd reference --set reference.cuts=some -o x.h5

project="--set sample.project.steps=10 --set sample.label=window --set sample.guidance=1"
expect 0 'samples, projected: [0-9,]+ of 200 samples did not reach their label' fd sample net.h5 -n 200 -o projected.h5 $small $project
expect 0 '^  network alone +[0-9.]+ %' fd sample net.h5 -n 200 -o projected.h5 -f $small $project
expect 0 'tally_alone' fd info projected.h5
expect 0 '^samples +200 ' fd sample net.h5 -n 200 -o not-projected.h5 $small $project --no-project
expect 2 'sample.project.steps' fd sample net.h5 -n 9 -o x.h5 --set sample.project.steps=-1

expect 0 '^  as read +0 %' fd project pairs.h5 -o by-hand.h5
expect 0 'samples, projected: [0-9,]+ of 4,000 samples did not reach their label' fd project pairs.h5 -o by-hand.h5 -f
expect 0 'projection alone, no network: rows of a set of role prior; label window' fd info by-hand.h5
expect 1 'by-hand.h5: exists already' fd project pairs.h5 -o by-hand.h5
expect 1 'nofile.h5' fd project nofile.h5 -o x.h5
expect 3 'net.h5' fd project net.h5 -o x.h5
expect 2 'is an input of this command too' fd project pairs.h5 -o pairs.h5 -f

# ---- outputs
expect 3 '.' fd info point.csv
mkdir -p locked && chmod 500 locked
if [ "$(id -u)" -ne 0 ]; then expect 1 'locked' fd simulate -o locked/x.h5 $small; fi
expect 1 'no/such/folder' fd simulate -o no/such/folder/x.h5 $small
expect 1 'no/such/folder' fd train pairs.h5 -o no/such/folder/x.h5 $small
absent x.h5 x.h5.part

# ---- run: the whole chain, again (nothing to do), changed (refused), stopped
expect 0 'report: .*r/report.html' fd run -o r $small
for f in config.yaml pairs.h5 pre-network.h5 before.h5 selected-1.h5 tuned-1.h5 samples.h5 ledger.json report.html \
    analysis/summary.json figures; do
    [ -e "r/$f" ] || { failed=$((failed + 1)); echo "FAIL: r/$f is missing"; }
done
expect 0 '0 stages made, 6 up to date' fd run -o r $small
expect 0 '0 stages made, 6 up to date' fd run r/config.yaml -o r
expect 1 'samples.h5: made with other settings' fd run -o r $small --set sample.guidance=2
expect 0 '1 stages made, 5 up to date' fd run -o r $small --set sample.guidance=2 --force
printf garbage >r/tuned-1.h5
expect 1 'tuned-1.h5: changed or damaged since it was made' fd run -o r $small --set sample.guidance=2
expect 0 'made, . up to date' fd run -o r $small --set sample.guidance=2 --force
sed "s/^name:.*/name: mine/" "$source/targets/paper-table1-no.yaml" >mine.yaml
mkdir elsewhere && printf 'target: mine.yaml\n' >beside.yaml
expect 0 'simulate: 50 pairs' sh -c "cd elsewhere && '$program' simulate -c ../beside.yaml -n 50 -o p.h5"
expect 1 'no row was kept|keep more rows' fd run -o r3 $small --set sample.keep_chi2_below=1e-9
[ -e r3/report.html ] && [ -e r3/ledger.json ] || { failed=$((failed + 1)); echo 'FAIL: a run that kept nothing has no report'; }
# what was stopped goes on
expect 75 'again with --resume: what is done is kept in again.h5.checkpoint' fd train pairs.h5 -o again.h5 $small --max-time 1e-9
expect 1 'again.h5.checkpoint: an unfinished run is there; give --resume to go on with it' fd train pairs.h5 -o again.h5 $small
expect 3 "of other settings than these: .*updates: 300' there, .*updates: 400' now" fd train pairs.h5 -o again.h5 $small --resume \
    --set train.updates=400
absent again.h5
expect 0 'train: 300 updates' fd train pairs.h5 -o again.h5 $small --resume
expect 0 'again.h5 is there already, made with these settings' fd train pairs.h5 -o again.h5 $small --resume
expect 1 'again.h5: exists already' fd train pairs.h5 -o again.h5 $small --resume --seed 9
absent again.h5.checkpoint
expect 2 'no option --resume' fd analyse samples.h5 -o a --resume
expect 2 '--checkpoint-every -1: expected a positive number' fd train pairs.h5 -o x.h5 --checkpoint-every -1
expect 75 'give the same command again:? ' fd train pairs.h5 -o x.h5 $small --checkpoint-every 0 --max-time 1e-9

# ---- progress on a terminal: counts rise and stay below the total, the bar shows them, and rate times ETA is what is left
script -qefc "'$program' train pairs.h5 -o bar.h5 --set train.updates=3000 --checkpoint-every 0 --max-time 4" shown >/dev/null 2>&1
tr '\r' '\n' <shown | awk '
    function seconds(text,    part) { # 1h02m, 3m07s, 12s
        if (split(text, part, /[hm]/) < 2) return text + 0
        return text ~ /h/ ? part[1] * 3600 + part[2] * 60 : part[1] * 60 + part[2]
    }
    function wrong(what) { print "  progress: " what ": " $0; bad = 1 }
    /ETA/ {
        split($3, count, "/")
        if (count[2] != 3000 || count[1] < last || count[1] > count[2]) wrong("counts")
        if (gsub(/#/, "#", $2) != int(20 * count[1] / count[2])) wrong("the bar")
        off = ($4 + 0) * seconds($6) - (count[2] - count[1]) # of which rounding, to seconds, minutes and three digits
        most = ($4 + 0) * ($6 ~ /h/ ? 60 : 0.6) + 0.02 * count[2]
        if (off > most || off < -most) wrong("ETA")
        last = count[1]
        lines++
    }
    END { exit bad || lines < 3 || last == 0 }' >out.txt || { failed=$((failed + 1)); echo "FAIL: progress on a terminal"; cat out.txt; }
grep -Eq -- '--max-time reached|train: 3000 updates' shown || { failed=$((failed + 1)); echo "FAIL: the end of a run on a terminal"; }
absent x.h5.checkpoint
expect 75 '--max-time reached.*give the same command again' fd run -o r2 $small --set train.updates=100000 --max-time 0.5
absent r2/pre-network.h5 r2/pre-network.h5.part
ls r2/*.h5.checkpoint >out.txt 2>&1 || { failed=$((failed + 1)); echo 'FAIL: no checkpoint of a stopped run'; }
stops=0
brief="$small --set train.updates=5 --set tune.updates=5"
while fd run -o r4 $brief --max-time 1e-9 >out.txt 2>&1; [ $? -eq 75 ] && [ $stops -lt 50 ]; do stops=$((stops + 1)); done
[ $stops -ge 7 ] || { failed=$((failed + 1)); echo "FAIL: run stopped $stops times"; }
expect 0 '0 stages made, 6 up to date' fd run -o r4 $brief --resume
ls r4 | grep -q checkpoint && { failed=$((failed + 1)); echo 'FAIL: a checkpoint is left in r4'; }

echo "cli.sh: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
