#!/bin/sh
# `ward mpc local` as a user runs it: a job file in, accuracy near that of the twin, a model that opens; errors.
#
# usage: mpc_local_test.sh WARD_PROGRAM
set -eu
ward=$1
. "$(dirname "$0")/lib.sh"

cp "$(dirname "$0")/../examples/mpc/breast_cancer.yaml" "$work/job.yaml"
"$ward" mpc local "$work/job.yaml" --out "$work/model.safetensors" --json > "$work/result" 2> "$work/progress"
python3 - "$work/result" <<'PY' || fail "result: $(cat "$work/result")"
import json, sys
result = json.loads(open(sys.argv[1]).read().splitlines()[-1])
assert list(result) == ["accuracy", "twin_accuracy", "seconds", "bytes_per_party", "rounds"], result
assert result["accuracy"] > 0.85 and abs(result["accuracy"] - result["twin_accuracy"]) < 0.05, result
assert result["bytes_per_party"] > 0 and result["rounds"] > 0, result
PY
"$ward" inspect "$work/model.safetensors" > "$work/inspect" || fail "the model does not open"
grep -q 'hidden1' "$work/inspect" || fail "inspect: $(cat "$work/inspect")"
"$ward" mpc local "$work/job.yaml" --no-twin 2> "$work/progress" | grep -q '^accuracy  *[89][0-9]' || fail "text output"

cp "$work/job.yaml" "$work/malicious.yaml"
echo 'security: malicious' >> "$work/malicious.yaml"
"$ward" mpc local "$work/malicious.yaml" --no-twin 2> "$work/progress" | grep -q '^accuracy  *[89][0-9]' || fail "malicious"
"$ward" mpc forecast "$work/job.yaml" --rtt-ms 20 --mbit 100 | grep -q '^sent  *[0-9]' || fail "forecast"

# Layers by name, and the model of them.
"$ward" mpc local "$(dirname "$0")/../examples/mpc/digits_conv.yaml" --out "$work/conv.safetensors" --json \
    > "$work/result" 2> "$work/progress"
python3 - "$work/result" <<'PY' || fail "convolutions: $(cat "$work/result")"
import json, sys
result = json.loads(open(sys.argv[1]).read().splitlines()[-1])
assert result["accuracy"] > 0.88 and abs(result["accuracy"] - result["twin_accuracy"]) < 0.06, result
PY
"$ward" inspect "$work/conv.safetensors" | grep -q 'norm2 *group_norm *{8, 8, 8} *16' || fail "the model of convolutions"

# Private training: the card has the statement, and its plan agrees with it.
"$ward" mpc local "$(dirname "$0")/../examples/mpc/breast_cancer_private.yaml" --out "$work/private.safetensors" \
    --json > "$work/result" 2> "$work/progress"
python3 - "$work/result" <<'PY' || fail "private result: $(cat "$work/result")"
import json, sys
result = json.loads(open(sys.argv[1]).read().splitlines()[-1])
assert 3.9 < result["epsilon"] <= 4 and result["delta"] == 1e-5 and result["accuracy"] > 0.65, result
PY
"$ward" inspect "$work/private.safetensors" > "$work/inspect"
grep -q 'is (4, 1e-05)-differentially private' "$work/inspect" || fail "no statement: $(cat "$work/inspect")"
grep -q "sampler  *none: every example takes part in every step" "$work/inspect" || fail "sampler: $(cat "$work/inspect")"
grep -q 'no amplification by sampling is claimed' "$work/inspect" || fail "no remark on the batches"
if grep -q 'DO NOT RELY' "$work/inspect"; then fail "the card contradicts its plan"; fi

# Convolutions too: near the twin, which has other noise.
sed 's/^epochs: .*/epochs: 6/; /out_channels: 12/d; /max_pool2d/d' "$(dirname "$0")/../examples/mpc/digits_lenet_private.yaml" > "$work/conv.yaml"
"$ward" mpc local "$work/conv.yaml" --json > "$work/result" 2> "$work/progress"
python3 - "$work/result" <<'PY' || fail "private convolutions: $(cat "$work/result")"
import json, sys
result = json.loads(open(sys.argv[1]).read().splitlines()[-1])
assert result["accuracy"] > 0.6 and result["twin_accuracy"] > 0.6 and 7.9 < result["epsilon"] <= 8, result
PY

# The same against a party that deviates.
(cat "$(dirname "$0")/../examples/mpc/breast_cancer_private.yaml"; echo "security: malicious") > "$work/sure.yaml"
"$ward" mpc local "$work/sure.yaml" --no-twin --out "$work/sure.safetensors" --json > "$work/result" 2> "$work/progress"
python3 -c 'import json, sys; assert json.loads(open(sys.argv[1]).read().splitlines()[-1])["accuracy"] > 0.65' "$work/result" ||
    fail "verified private result: $(cat "$work/result")"
"$ward" inspect "$work/sure.safetensors" | grep -q "even if it deviates" || fail "what a party may do is not said"

printf 'ward_mpc_job: 1\ndata: breast-cancer\nepoch: 3\n' > "$work/bad.yaml"
expect 1 "line 3: there is no key epoch" "$ward" mpc local "$work/bad.yaml"
expect 1 "missing.yaml" "$ward" mpc local "$work/missing.yaml"
expect 2 "job is required" "$ward" mpc local
echo ok
