#!/usr/bin/env bash
# Bad input ends in one line that names file, place or flag, a hint, the right exit code, and no file left behind:
# cli_errors_test.sh WARD
set -euo pipefail
ward="$(realpath "$1")"
. "$(dirname "$0")/lib.sh"

# bad CODE TEXT arguments...: as `expect`, for `ward` without its progress bar.
bad() {
    local code="$1" text="$2"
    shift 2
    expect "$code" "$text" "$ward" "$@" --progress off
}

out="$work/m.safetensors"
train=(train --out "$out")
printf 'age,income,sick\n30,1000,no\n40,2000,yes\n50,3000,no\n60,1000,yes\n' >"$work/good.csv"
"$ward" data describe "$work/good.csv" --label sick --write-schema "$work/schema.yaml" >/dev/null 2>&1
schema=(--schema "$work/schema.yaml")
printf 'age;income;sick\n30;1000;no\n' >"$work/delimiter.csv"
printf 'age,income,sick\n30,1000,no\n40,2000\n' >"$work/ragged.csv"
printf 'age,income,sick\n30,nan,no\n40,2000,yes\n' >"$work/nan.csv"
printf 'age,income,sick\n30,1000,maybe\n40,2000,yes\n' >"$work/label.csv"
: >"$work/empty.csv"

bad 2 "how private" "${train[@]}" --data digits
bad 2 "epsilon must be" "${train[@]}" --data digits --epsilon 0
bad 2 "epsilon must be" "${train[@]}" --data digits --epsilon -1
bad 2 "delta must be" "${train[@]}" --data digits --epsilon 1 --delta 1
bad 2 "delta must be" "${train[@]}" --data digits --epsilon 1 --delta 0
bad 2 "batch size must be between" "${train[@]}" --data digits --epsilon 1 --batch 100000
bad 2 "exclude each other" "${train[@]}" --data digits --epsilon 1 --no-privacy
bad 2 "recipe" "${train[@]}" --data digits --epsilon 1 --recipe nothing
bad 2 "learning rate" "${train[@]}" --data digits --epsilon 1 --learning-rate -1
bad 2 "precision must be" "${train[@]}" --data digits --epsilon 1 --precision fp8
bad 2 "folder of --out" train --data digits --epsilon 1 --out "$work/none/m.safetensors"
bad 2 "out is a folder" train --data digits --epsilon 1 --out "$work"
bad 2 "folder of --record" "${train[@]}" --data digits --epsilon 1 --record "$work/none/r.json"
bad 2 "--out and --data are the same file" train --data "$work/good.csv" --epsilon 1 --out "$work/./good.csv"
bad 2 "--checkpoint and --out are the same file" "${train[@]}" --data digits --epsilon 1 --checkpoint "$work/../$(basename "$work")/m.safetensors"
bad 2 "--out and --data are the same file" predict "$work/good.csv2" --data "$work/good.csv" --out "$work/good.csv"
bad 2 "billion steps" "${train[@]}" --data digits --epsilon 1 --epochs 1e300
bad 2 "did you mean" "${train[@]}" --data digits --epsilom 1
bad 1 "no-such" "${train[@]}" --data "$work/no-such.csv" --epsilon 1
bad 1 "delimiter" "${train[@]}" --data "$work/delimiter.csv" "${schema[@]}" --epsilon 1
bad 1 "ragged.csv line 3 has 2 fields" "${train[@]}" --data "$work/ragged.csv" "${schema[@]}" --epsilon 1
bad 1 "nan.csv line 2, column 2 (income)" "${train[@]}" --data "$work/nan.csv" "${schema[@]}" --epsilon 1
bad 1 "unknown class 'maybe'" "${train[@]}" --data "$work/label.csv" "${schema[@]}" --epsilon 1
bad 1 "empty" "${train[@]}" --data "$work/empty.csv" "${schema[@]}" --epsilon 1
head -c 100 /dev/zero >"$work/zero.safetensors"
bad 1 "zero.safetensors" evaluate "$work/zero.safetensors" --data digits
bad 1 "missing.safetensors" evaluate "$work/missing.safetensors" --data digits
bad 1 "zero.safetensors" "${train[@]}" --data digits --epsilon 1 --checkpoint "$work/zero.safetensors" --resume
bad 2 "nothing says where the model goes" train --data digits --epsilon 1
bad 2 "exclude each other" "${train[@]}" --data digits --epsilon 1 --no-save
bad 2 "resume needs" "${train[@]}" --data digits --epsilon 1 --resume

# A flag that would change nothing, and budgets of nothing, are refused before anything is read.
evasion=(attack evasion --model none --data digits --epsilon 0.1)
bad 2 "--steps must be > 0, got 0" "${evasion[@]}" --attack pgd --steps 0
grep -q 'hint: .*pgd takes --steps, --step-size, --restarts' "$work/err" || fail "no hint: $(cat "$work/err")"
bad 2 "--restarts must be > 0, got 0" "${evasion[@]}" --attack pgd --restarts 0
bad 2 "--steps must be > 0, got -3" "${evasion[@]}" --attack pgd --steps=-3
bad 2 "fgsm does not take --steps" "${evasion[@]}" --attack fgsm --steps 5
bad 2 "square does not take --momentum" "${evasion[@]}" --attack square --momentum 1
bad 2 "cw does not take --restarts" "${evasion[@]}" --attack cw --restarts 3
bad 2 "autoattack does not take --steps" "${evasion[@]}" --steps 5
bad 2 "no attack cw-linf" "${evasion[@]}" --attack cw-linf
grep -q 'hint: .*--attack cw --norm linf' "$work/err" || fail "no hint: $(cat "$work/err")"
bad 2 "badnets does not take --warp" attack poison --attack badnets --data digits --warp 2
bad 2 "gradient-matching does not take --opacity" attack poison --attack gradient-matching --data digits --opacity 0.2
bad 2 "--restarts must be > 0, got 0" attack poison --attack gradient-matching --data digits --restarts 0
bad 2 "knockoff does not take --step-size" attack extraction --model none --data digits --step-size 0.1
bad 2 "exact does not take --queries" attack extraction --attack exact --model none --queries 10

# --no-save and --dry-run need no --out; what prints JSON prints nothing else.
"$ward" train --data digits --epsilon 4 --epochs 0.1 --no-save --json --progress off >"$work/run.json" 2>/dev/null
python3 -c 'import json,sys; r=json.load(open(sys.argv[1])); assert 0 < r["test_base_rate"] < 0.2 and r["model"] == ""' "$work/run.json" ||
    fail "--no-save --json: $(cat "$work/run.json")"
"$ward" train --data digits --epsilon 4 --dry-run --json >"$work/plan.json" 2>/dev/null
python3 -c 'import json,sys; p=json.load(open(sys.argv[1])); assert p["private"] and p["plan"]["sampler"] == "poisson"' "$work/plan.json" ||
    fail "--dry-run --json: $(cat "$work/plan.json")"
"$ward" train --data digits --no-privacy --dry-run --json 2>/dev/null | grep -q '"private": false' || fail "--dry-run of a plain run"

# Data that do not fit a model: the error names what it expects and what it got.
mkdir "$work/models" "$work/images"
digits="$work/models/digits.safetensors" images="$work/models/images.safetensors"
"$ward" train --data digits --no-privacy --epochs 0.1 --out "$digits" --progress off >/dev/null 2>&1
expected="; the model expects a table with the 64 columns pixel_0, pixel_1, pixel_2, ..., pixel_63, and 10 classes (0, 1, 2, ..., 9)"
bad 1 "breast_cancer.csv line 1 has 4 fields, the schema has 65$expected" evaluate "$digits" --data breast-cancer
bad 1 "the schema has 65$expected" predict "$digits" --data breast-cancer
python3 - "$work/images" <<'PY'
import struct, sys
def idx(name, sizes, values):
    with open(sys.argv[1] + "/" + name, "wb") as file:
        file.write(bytes([0, 0, 8, len(sizes)]) + b"".join(struct.pack(">I", n) for n in sizes) + bytes(values))
idx("train-images-idx3-ubyte", [20, 6, 6], [i % 251 for i in range(720)])
idx("train-labels-idx1-ubyte", [20], [i % 2 for i in range(20)])
idx("t10k-images-idx3-ubyte", [4, 7, 7], [1] * 196)
idx("t10k-labels-idx1-ubyte", [4], [0, 1, 0, 1])
PY
bad 1 "table, but the data are arrays$expected" evaluate "$digits" --data "$work/images"
bad 1 "t10k-images-idx3-ubyte has examples of shape 1 x 7 x 7, the model was trained on 1 x 6 x 6" \
    train --data "$work/images" --model logistic --no-privacy --epochs 1 --out "$images"
rm "$work"/images/t10k*
"$ward" train --data "$work/images" --model logistic --no-privacy --epochs 1 --out "$images" --progress off >/dev/null 2>&1
bad 1 "the data are a table; the model expects examples of shape 1 x 6 x 6, and 2 classes (0, 1)" \
    evaluate "$images" --data digits
bad 3 "was trained on these very data" train --data digits --epsilon 3 --pretrained "$digits" --out "$work/again.safetensors"
bad 1 "the pretrained model has no weight" \
    train --data breast-cancer --no-privacy --pretrained "$digits" --out "$work/again.safetensors"
"$ward" evaluate "$digits" --data digits --progress off 2>/dev/null | grep -q '^base rate  *[0-9.]* %' || fail "no base rate"
"$ward" evaluate "$digits" --data digits --progress off --json 2>/dev/null | grep -q '"balanced_accuracy":0' || fail "no balanced accuracy"

if [[ -e "$out" ]] || compgen -G "$work/*.partial*" >/dev/null; then fail "a file was left behind"; fi
echo "every bad input has its one-line error"
