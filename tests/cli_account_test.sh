#!/bin/sh
# `ward account` as a user runs it: known epsilons, noise for an epsilon, plans from files, one-line errors.
#
# usage: cli_account_test.sh WARD_PROGRAM
set -eu
ward=$1
. "$(dirname "$0")/lib.sh"

# near FILE PATH LOW HIGH: the number at PATH (a.b) of the JSON in FILE lies between them.
near() {
  python3 - "$@" <<'PY' || fail "$2 of $1: $(cat "$1")"
import json, sys
value = json.load(open(sys.argv[1]))
for key in sys.argv[2].split("."):
    value = value[key]
assert float(sys.argv[3]) <= value <= float(sys.argv[4]), value
PY
}

# The MNIST tutorial's settings; PRV accounting (another program) says between 1.123 and 1.143.
"$ward" account --examples 60000 --batch 256 --steps 3510 --noise-multiplier 1.1 --delta 1e-5 --json > "$work/mnist"
near "$work/mnist" pld.upper 1.1324 1.1334
near "$work/mnist" pld.lower 1.1320 1.1330
near "$work/mnist" rdp.epsilon 1.279 1.281
# One Gaussian release is exact: Balle, Wang 2018 give 4.3772 for sigma 1 and delta 1e-5.
"$ward" account --sampling-rate 1 --steps 1 --noise-multiplier 1 --delta 1e-5 --json > "$work/one"
near "$work/one" pld.upper 4.3771 4.3773
# 15 epochs of 60000 / 256 are 3516 steps; the text says what the JSON says.
"$ward" account --examples 60000 --batch 256 --epochs 15 --noise-multiplier 1.1 --delta 1e-5 > "$work/text"
grep -q '^steps  *3516$' "$work/text" || fail "epochs: $(cat "$work/text")"
grep -q '^epsilon  *1.13[0-9]*  (certified' "$work/text" || fail "text: $(cat "$work/text")"
# The noise for an epsilon gives that epsilon.
"$ward" account --target-epsilon 2 --sampling-rate 0.01 --steps 1000 --delta 1e-6 --json > "$work/noise"
near "$work/noise" pld.upper 1.998 2.0
noise=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["noise_multiplier"])' "$work/noise")
"$ward" account --noise-multiplier "$noise" --sampling-rate 0.01 --steps 1000 --delta 1e-6 --json > "$work/back"
near "$work/back" pld.upper 1.998 2.0

# A plan as model cards hold it: alone, in a record, and in a model.
cat > "$work/plan.json" <<'PLAN'
{"version":1,"sampler":"poisson","adjacency":"add-or-remove-one","examples":60000,"expected_batch":256,"steps":3510,
 "delta":1e-05,"noise_multiplier":1.1,"target_epsilon":null,"clipping":"flat","clipping_norm":0.5,"layer_norms":[],
 "unit":"example","max_contributions":1,"accountant":"pld","dimension":650,"sensitivity_margin":0.001,
 "figures":{"epsilon_upper":0.001}}
PLAN
"$ward" account --plan "$work/plan.json" --json > "$work/planned"
near "$work/planned" pld.upper 1.1324 1.1334
grep -q '"statement": "The model is (1.13' "$work/planned" || fail "no statement: $(cat "$work/planned")"
printf '{"privacy":{"epsilon_upper":9,"plan":%s}}' "$(cat "$work/plan.json")" > "$work/record.json"
"$ward" account --plan "$work/record.json" | grep -q '^epsilon  *1.13' || fail "the plan of a record"
sed 's/"example","max_contributions":1/"group","max_contributions":2/' "$work/plan.json" > "$work/group.json"
"$ward" account --plan "$work/group.json" --json > "$work/grouped"
near "$work/grouped" noise_multiplier 0.55 0.55
near "$work/grouped" sampling_rate 0.00851 0.00852
near "$work/grouped" pld.upper 3 30

expect 2 "what to compute is missing" "$ward" account --delta 1e-5
expect 2 "--delta is missing" "$ward" account --noise-multiplier 1
expect 2 "the sampling rate is missing" "$ward" account --noise-multiplier 1 --delta 1e-5
expect 2 "give either --sampling-rate or" "$ward" account --noise-multiplier 1 --delta 1e-5 --sampling-rate 0.1 --batch 5
expect 2 "the number of steps is missing" "$ward" account --noise-multiplier 1 --delta 1e-5 --sampling-rate 0.1
expect 2 "--steps must be at least 1" "$ward" account --noise-multiplier 1 --delta 1e-5 --sampling-rate 0.1 --steps 0
expect 2 "--batch must be between 1 and --examples (10), got 11" \
  "$ward" account --noise-multiplier 1 --delta 1e-5 --examples 10 --batch 11 --steps 1
expect 2 "give either --noise-multiplier or --target-epsilon" \
  "$ward" account --noise-multiplier 1 --target-epsilon 1 --delta 1e-5 --sampling-rate 0.1 --steps 1
expect 2 "delta must be" "$ward" account --noise-multiplier 1 --delta 1 --sampling-rate 0.1 --steps 1
expect 2 "noise multiplier" "$ward" account --noise-multiplier 0 --delta 1e-5 --sampling-rate 0.1 --steps 1
expect 2 "sampling rate" "$ward" account --noise-multiplier 1 --delta 1e-5 --sampling-rate 2 --steps 1
expect 2 "--plan goes with --json only" "$ward" account --plan "$work/plan.json" --delta 1e-5
expect 1 "cannot open $work/none" "$ward" account --plan "$work/none"
echo '{"version":1}' > "$work/empty.json"
expect 1 "privacy plan: " "$ward" account --plan "$work/empty.json"
echo '{"private":false}' > "$work/plain.json"
expect 1 "without a privacy plan" "$ward" account --plan "$work/plain.json"
sed 's/poisson/shuffle/' "$work/plan.json" > "$work/shuffle.json"
expect 3 "needs Poisson sampling" "$ward" account --plan "$work/shuffle.json"
echo passed
