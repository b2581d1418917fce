#!/usr/bin/env bash
# Kills a private run with SIGKILL at random moments and resumes it until it ends; the plan, the steps and the final
# epsilon must be those of an uninterrupted run: resume_test.sh WARD [KILLS]
set -euo pipefail
ward="$1" kills="${2:-3}"
. "$(dirname "$0")/lib.sh"
# Becomes the program: in the background its process number is the one to kill.
become() {
    exec "$ward" train --data digits --model mlp --epsilon 3 --delta 1e-4 --batch 64 --epochs 40 --learning-rate 0.2 \
        --threads 1 --progress off --checkpoint-steps 5 --json "$@"
}
train() { (become "$@"); }
field() { python3 -c "import json,sys; r=json.load(open(sys.argv[1])); print(r['steps'], r['epsilon']['upper'], r['noise_multiplier'])" "$1"; }

train --out "$work/whole.safetensors" --checkpoint "$work/whole.checkpoint" >"$work/whole.json" 2>/dev/null

killed=0
for ((attempt = 0; attempt < 10 * kills && killed < kills; attempt++)); do
    resume=(); if [[ -f "$work/run.checkpoint" ]]; then resume=(--resume); fi
    become --out "$work/run.safetensors" --checkpoint "$work/run.checkpoint" "${resume[@]}" >"$work/run.json" 2>/dev/null &
    pid=$!
    sleep "0.$((RANDOM % 6))$((RANDOM % 10))"
    if kill -9 "$pid" 2>/dev/null; then killed=$((killed + 1)); fi
    wait "$pid" 2>/dev/null || true
    if [[ -f "$work/run.safetensors" ]]; then rm -f "$work/run.safetensors" "$work/run.checkpoint"; fi
done
resume=(); if [[ -f "$work/run.checkpoint" ]]; then resume=(--resume); fi
train --out "$work/run.safetensors" --checkpoint "$work/run.checkpoint" "${resume[@]}" >"$work/run.json" 2>/dev/null

[[ ! -e "$work/run.checkpoint" ]] || fail "a finished run left its checkpoint"
if [[ "$(field "$work/whole.json")" != "$(field "$work/run.json")" ]]; then
    fail "resumed run differs: $(field "$work/run.json"), expected $(field "$work/whole.json")"
fi
echo "$killed kills: steps, epsilon and noise multiplier as uninterrupted: $(field "$work/run.json")"
