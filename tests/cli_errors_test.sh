#!/usr/bin/env bash
# Bad input ends in one line that names file, place or flag, a hint, the right exit code, and no file left behind:
# cli_errors_test.sh WARD
set -uo pipefail
ward="$1"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
failures=0

# expect CODE 'PATTERN' arguments...
expect() {
    local code="$1" pattern="$2"
    shift 2
    local output status
    output="$("$ward" "$@" --progress off 2>&1 >/dev/null | grep -v "^ward: schema:")"
    "$ward" "$@" --progress off >/dev/null 2>&1
    status=$?
    local errors
    errors="$(grep -c "^ward: error: " <<<"$output")"
    if [[ $status -ne $code || $errors -ne 1 ]] || ! grep -qE "$pattern" <<<"$output"; then
        echo "FAILED: ward $*"
        echo "  exit $status (expected $code), output: $output (expected /$pattern/)"
        failures=$((failures + 1))
    fi
}

out="$scratch/m.safetensors"
train=(train --out "$out")
printf 'age,income,sick\n30,1000,no\n40,2000,yes\n50,3000,no\n60,1000,yes\n' >"$scratch/good.csv"
cat >"$scratch/schema.yaml" <<'S'
ward_schema: 1
S
"$ward" data describe "$scratch/good.csv" --label sick --write-schema "$scratch/schema.yaml" >/dev/null 2>&1
schema=(--schema "$scratch/schema.yaml")
printf 'age;income;sick\n30;1000;no\n' >"$scratch/delimiter.csv"
printf 'age,income,sick\n30,1000,no\n40,2000\n' >"$scratch/ragged.csv"
printf 'age,income,sick\n30,nan,no\n40,2000,yes\n' >"$scratch/nan.csv"
printf 'age,income,sick\n30,1000,maybe\n40,2000,yes\n' >"$scratch/label.csv"
: >"$scratch/empty.csv"

expect 2 "how private" "${train[@]}" --data digits
expect 2 "epsilon must be" "${train[@]}" --data digits --epsilon 0
expect 2 "epsilon must be" "${train[@]}" --data digits --epsilon -1
expect 2 "delta must be" "${train[@]}" --data digits --epsilon 1 --delta 1
expect 2 "delta must be" "${train[@]}" --data digits --epsilon 1 --delta 0
expect 2 "batch size must be between" "${train[@]}" --data digits --epsilon 1 --batch 100000
expect 2 "exclude each other" "${train[@]}" --data digits --epsilon 1 --no-privacy
expect 2 "recipe" "${train[@]}" --data digits --epsilon 1 --recipe nothing
expect 2 "learning rate" "${train[@]}" --data digits --epsilon 1 --learning-rate -1
expect 2 "precision must be" "${train[@]}" --data digits --epsilon 1 --precision fp8
expect 2 "folder of --out" train --data digits --epsilon 1 --out "$scratch/none/m.safetensors"
expect 2 "did you mean" "${train[@]}" --data digits --epsilom 1
expect 1 "no-such" "${train[@]}" --data "$scratch/no-such.csv" --epsilon 1
expect 1 "delimiter" "${train[@]}" --data "$scratch/delimiter.csv" "${schema[@]}" --epsilon 1
expect 1 "ragged.csv.*3" "${train[@]}" --data "$scratch/ragged.csv" "${schema[@]}" --epsilon 1
expect 1 "nan.csv.*income|nan.csv.*2" "${train[@]}" --data "$scratch/nan.csv" "${schema[@]}" --epsilon 1
expect 1 "label.csv.*maybe" "${train[@]}" --data "$scratch/label.csv" "${schema[@]}" --epsilon 1
expect 1 "empty" "${train[@]}" --data "$scratch/empty.csv" "${schema[@]}" --epsilon 1
head -c 100 /dev/zero >"$scratch/zero.safetensors"
expect 1 "zero.safetensors" evaluate "$scratch/zero.safetensors" --data digits
expect 1 "missing.safetensors" evaluate "$scratch/missing.safetensors" --data digits
expect 1 "zero.safetensors" "${train[@]}" --data digits --epsilon 1 --checkpoint "$scratch/zero.safetensors" --resume
expect 2 "resume needs" "${train[@]}" --data digits --epsilon 1 --resume
if [[ -e "$out" ]] || compgen -G "$scratch/*.partial*" >/dev/null; then
    echo "FAILED: a file was left behind"
    failures=$((failures + 1))
fi
if [[ $failures -gt 0 ]]; then exit 1; fi
echo "every bad input has its one-line error"
