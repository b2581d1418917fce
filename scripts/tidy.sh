#!/usr/bin/env bash
# clang-tidy on the sources of the Torch-free modules, tests left out: tidy.sh [FILES]. About 25 minutes on two cores.
# Needs the compile commands of the preset no-torch.
set -euo pipefail
cd "$(dirname "$0")/.."
[[ -f build/no-torch/compile_commands.json ]] || cmake --preset no-torch >/dev/null
if (($# > 0)); then files=("$@"); else
    mapfile -t files < <(python3 -c '
import json
for entry in json.load(open("build/no-torch/compile_commands.json")):
    if "/src/ward/" in entry["file"] and not entry["file"].endswith("_test.cc"): print(entry["file"])' | sort -u)
fi
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy -p build/no-torch --quiet 2>/dev/null |
    { ! grep -E "(warning|error):" | sed "s|$PWD/||" | sort -u | tee /dev/stderr | grep -q .; }
echo "clang-tidy: ${#files[@]} files without a finding"
