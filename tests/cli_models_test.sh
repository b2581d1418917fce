#!/usr/bin/env bash
# Models in every form that `evaluate` and `predict` take: plain, encrypted, per tensor, TorchScript; and budgets that
# end a run: cli_models_test.sh WARD
set -euo pipefail
ward="$(realpath "$1")"
. "$(dirname "$0")/lib.sh"

model="$work/m.safetensors"
"$ward" train --data digits --no-privacy --epochs 1 --out "$model" --progress off >/dev/null 2>&1
accuracy() { "$ward" evaluate "$@" --data digits --json 2>/dev/null; }
plain="$(accuracy "$model")"

recipient="$("$ward" key new "$work/key.txt")"
"$ward" key new "$work/other.txt" >/dev/null
"$ward" encrypt -r "$recipient" "$model" "$work/m.age"
"$ward" encrypt -r "$recipient" --per-tensor "$model" "$work/m.sealed"
for encrypted in "$work/m.age" "$work/m.sealed"; do
    [[ "$(accuracy "$encrypted" --identity "$work/key.txt")" == "$plain" ]] || fail "$encrypted gives other results"
    expect 1 "$encrypted" "$ward" evaluate "$encrypted" --data digits
    expect 1 "$encrypted" "$ward" predict "$encrypted" --data digits --identity "$work/other.txt"
done
[[ -z "$(find "$work" -newer "$work/m.sealed" -name '*.safetensors')" ]] || fail "a decrypted model reached the disk"

printf 'PK\003\004 no archive' >"$work/hostile.pt"
expect 1 "is not a TorchScript file" "$ward" evaluate "$work/hostile.pt" --data digits

# A budget ends a run with given noise early, and what was spent is below it.
budget=(--data digits --noise-multiplier 6 --delta 1e-4 --max-epsilon 2)
"$ward" train "${budget[@]}" --dry-run --json >"$work/plan.json" 2>/dev/null
python3 -c 'import json,sys; p=json.load(open(sys.argv[1]))["plan"]["figures"]; assert 1.8 < p["epsilon_upper"] <= 2, p' "$work/plan.json" ||
    fail "$(cat "$work/plan.json")"
expect 2 "--max-epsilon" "$ward" train --data digits --epsilon 3 --max-epsilon 2 --dry-run
expect 2 "--max-epsilon" "$ward" train --data digits --noise-multiplier 1 --max-epsilon -1 --dry-run
expect 3 "already spends more" "$ward" train --data digits --noise-multiplier 1 --max-epsilon 0.5 --dry-run
echo passed
