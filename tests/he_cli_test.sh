#!/bin/sh
# `ward he` as a user runs it: a model trained here, plan, measured inference in every mode, two sides that exchange
# files, and errors.
#
# usage: he_cli_test.sh WARD_PROGRAM
set -eu
ward=$1
. "$(dirname "$0")/lib.sh"
cd "$work"

printf 'ward_mpc_job: 1\ndata: breast-cancer\nhidden: [8]\nepochs: 25\nbatch_size: 32\nlearning_rate: 0.05\n' > job.yaml
"$ward" mpc local job.yaml --out m.safetensors --no-twin > log 2>&1 || fail "training: $(cat log)"
model="m.safetensors --data breast-cancer --activation-degree 5"

"$ward" he plan $model > plan.txt || fail "plan"
grep -q 'relu by a polynomial of degree 5' plan.txt || fail "plan: $(cat plan.txt)"
grep -q '^precision  *outputs to about [1-3][0-9] bits' plan.txt || fail "plan: $(cat plan.txt)"
grep -q '^accuracy  *[789][0-9]' plan.txt || fail "plan: $(cat plan.txt)"

for mode in "" "--packing batch" "--encrypted-weights" "--encrypted-weights --encrypted-input"; do
  "$ward" he infer $model --count 10 $mode --json > result 2> err || fail "infer $mode: $(cat err)"
  python3 - result <<'PY' || fail "infer $mode: $(cat result)"
import json, sys
r = json.loads(open(sys.argv[1]).read())
first = ["seconds", "accuracy", "examples", "precision_bits", "bytes_up", "bytes_down", "key_bytes"]
assert list(r)[:7] == first, r
assert r["examples"] == 10 and r["same_prediction"] == 1 and r["precision_bits"] > 8, r
assert r["accuracy"] == r["plain_accuracy"] and r["key_bytes"] > 1e5, r
PY
done

# The owner of the model writes a plan; the owner of the data has that, keys and data; nothing else goes over.
mkdir a b
"$ward" he plan $model --packing batch --scale-bits 46 --out b/m.plan > /dev/null
"$ward" he keygen b/m.plan --out b/keys > /dev/null
[ "$(stat -c %a b/keys/secret.key)" = 600 ] || fail "mode of secret.key"
"$ward" he encrypt-input b/m.plan --key b/keys/secret.key --data breast-cancer --count 20 --out a/request.ct
mkdir a/keys && cp b/keys/relin.key b/keys/rotations.key b/keys/public.key a/keys
"$ward" he infer $model --packing batch --scale-bits 46 --input a/request.ct --keys a/keys --out b/result.ct
"$ward" he decrypt b/m.plan --key b/keys/secret.key --in b/result.ct > classes
[ "$(grep -cE '^(benign|malignant)$' classes)" -eq 20 ] || fail "decrypted: $(cat classes)"
"$ward" he infer $model --packing batch --scale-bits 46 --count 20 --json 2> err > result
python3 - result b/m.plan <<'PY' || fail "two sides: $(cat result)"
import json, sys
assert json.load(open(sys.argv[1]))["same_prediction"] == 1
PY

# The same with noise that hides the computation: the same classes.
"$ward" he infer $model --packing batch --scale-bits 46 --input a/request.ct --keys a/keys --out b/hidden.ct --circuit-privacy 8
"$ward" he decrypt b/m.plan --key b/keys/secret.key --in b/hidden.ct > hidden
[ "$(diff classes hidden | grep -c "^<")" -le 1 ] || fail "with circuit privacy: $(cat hidden)"  # one is undecided

# Encrypted weights, in files: the owner of the data evaluates, the owner of the model decrypts.
"$ward" he encrypt-model $model --key model.key --out m.enc > /dev/null
[ "$(stat -c %a model.key)" = 600 ] || fail "mode of model.key"
"$ward" he infer m.enc --data breast-cancer --count 20 --out weights.ct 2> err || fail "infer: $(cat err)"
"$ward" he decrypt m.enc --key model.key --in weights.ct > again
cmp -s classes again || fail "with encrypted weights: $(cat again)"
expect 1 "other parameters" "$ward" he decrypt m.enc --key model.key --in b/result.ct
expect 2 "--out is required" "$ward" he infer m.enc --data breast-cancer
head -c 20000 m.enc > cut.enc
expect 1 "its length" "$ward" he infer cut.enc --data breast-cancer --out x.ct

# Another plan, key, file; nothing asked for.
"$ward" he plan $model --packing batch --scale-bits 41 --out other.plan > /dev/null
expect 1 "other parameters" "$ward" he decrypt other.plan --key b/keys/secret.key --in b/result.ct
expect 1 "of kind" "$ward" he decrypt b/m.plan --key b/keys/relin.key --in b/result.ct
head -c 1000 b/result.ct > cut.ct
expect 1 "not an object" "$ward" he decrypt b/m.plan --key b/keys/secret.key --in cut.ct
expect 1 "File exists" "$ward" he keygen b/m.plan --out b/keys
expect 2 "--data" "$ward" he infer m.safetensors
expect 2 "--count must be" "$ward" he infer $model --count 100000
expect 2 "subcommand is required" "$ward" he
echo ok
