#!/usr/bin/env bash
# Bad input ends in one line that names file, place or flag, a hint, the right exit code, and no file left behind:
# cli_errors_test.sh WARD
set -euo pipefail
ward="$1"
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
bad 2 "resume needs" "${train[@]}" --data digits --epsilon 1 --resume
if [[ -e "$out" ]] || compgen -G "$work/*.partial*" >/dev/null; then fail "a file was left behind"; fi
echo "every bad input has its one-line error"
