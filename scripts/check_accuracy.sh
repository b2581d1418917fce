#!/usr/bin/env bash
# Accuracy of the recipes on the public sets, mean of N runs each (default 3): check_accuracy.sh DATA_FOLDER [N]
# DATA_FOLDER holds mnist/, fashion-mnist/ (IDX) and adult/. Prints one line per case; about an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
data="$1" runs="${2:-3}" ward=build/release/bin/ward
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

# case NAME BAR arguments...
measure() {
    local name="$1" bar="$2" total="" figures=""
    shift 2
    for ((run = 1; run <= runs; run++)); do
        "$ward" train "$@" --seed "$run" --progress off --out "$scratch/m.safetensors" >/dev/null 2>&1
        local set=("$@")
        figures+=" $("$ward" evaluate "$scratch/m.safetensors" --data "${set[1]}" --json 2>/dev/null |
            python3 -c 'import json,sys; print(round(100 * json.load(sys.stdin)["accuracy"], 2))')"
    done
    python3 -c "import sys; f=[float(x) for x in sys.argv[3:]]; m=sum(f)/len(f); print(f'{sys.argv[1]:32s} mean {m:6.2f} %  bar {sys.argv[2]} %  {\"ok\" if m >= float(sys.argv[2]) else \"BELOW\"}  runs', *f)" \
        "$name" "$bar" $figures
}

measure "adult, epsilon 1" 84.0 --data "$data/adult" --epsilon 1 --delta 1e-5
measure "mnist, epsilon 1.16" 95.5 --data "$data/mnist" --model cnn --epsilon 1.16 --delta 1e-5
measure "mnist, epsilon 2.93" 98.1 --data "$data/mnist" --model cnn --epsilon 2.93 --delta 1e-5
measure "fashion-mnist, epsilon 3" 86.5 --data "$data/fashion-mnist" --model cnn --epsilon 3 --delta 1e-5
