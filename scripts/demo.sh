#!/usr/bin/env bash
# From nothing to a report: installs what is missing, builds, trains a digit classifier and a medical classifier with
# differential privacy and without, and writes one self-contained page about them. Debian 12; about 5 minutes cold.
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-demo-out}"

echo "== install and build"
scripts/install_deps.sh
cmake --preset release -DWARD_TESTS=OFF -DWARD_BENCH=OFF >/dev/null
cmake --build --preset release --target ward
ward=build/release/bin/ward
mkdir -p "$out"

for set in digits breast-cancer; do
    echo "== train on $set"
    "$ward" train --data "$set" --epsilon 4 --delta 1e-4 --out "$out/$set.safetensors"
    "$ward" train --data "$set" --no-privacy --out "$out/$set-twin.safetensors"
done

echo "== report"
"$ward" report "$out"/*.record.json --out "$out/report.html" --json "$out/report.json" >/dev/null
echo "open this page in a browser, it needs no network:"
realpath "$out/report.html"
