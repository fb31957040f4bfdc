#!/bin/sh
# Makes the inputs of jobs.txt in the folder it is run in. Usage: setup.sh PATH_TO_FLAVORDIFF SOURCE_FOLDER
set -eu
cp "$2/examples/points.csv" .
cat >tiny.yaml <<'END'
simulate: {pairs: 40, scan: 0}
network: {widths: [6]}
diffusion: {steps: 5}
train: {updates: 3, batch: 8}
tune: {updates: 2}
before: {n: 20, sampler: {steps: 5}}
select: {wanted: 10, max_generated: 200, chi2_all: 1e30, chi2_mass: 1e30, sampler: {steps: 5}}
sample: {n: 20, sampler: {steps: 5}}
informed:
  enabled: true
  reference: 110
  network: {width: 8, hidden: 1}
  train: {updates: 2, batch: 8}
  draws: {from: prior, validation: 8}
  sample: {n: 30, sampler: {steps: 3}, project: {steps: 3}}
reference: {chains: 4, steps: 32, burn_in: 16}
exact: {burn_in: 8, steps: 8, max_steps: 16}
calibrate: {draws: 10, samples: 3}
distortion: {gammas: [1, 2], n: 30, draws: 10}
END
"$1" simulate -q -c tiny.yaml -n 100 -o pairs.h5
"$1" train pairs.h5 -q -o net.h5 -c tiny.yaml
"$1" train-informed -q -o informed.h5 -c tiny.yaml
"$1" reference -q -n 110 -o ref.h5
"$1" reference -q -n 110 -s 2 -o ref2.h5
"$1" analyse ref.h5 -q -o a
"$1" run tiny.yaml -q -o run
