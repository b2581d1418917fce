#!/usr/bin/env bash
# Builds every fuzz target and runs each for some seconds: scripts/fuzz.sh [SECONDS] [TARGET...]
#
# Starts from fuzz/corpus/NAME; what is found new is kept under build/fuzz/corpus. A finding stops the
# script with the path of the input that causes it.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-20}
shift $(($# > 0 ? 1 : 0))

cmake --preset fuzz > /dev/null
cmake --build --preset fuzz -j"${WARD_JOBS:-2}"

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for source in fuzz/fuzz_*.cc; do targets+=("$(basename "$source" .cc)"); done
fi
for target in "${targets[@]}"; do
  name=${target#fuzz_}
  found=build/fuzz/corpus/$name
  mkdir -p "$found"
  seeds=()
  if [ -d "fuzz/corpus/$name" ]; then seeds=("fuzz/corpus/$name"); fi
  echo "== $target, $seconds s"
  build/fuzz/bin/"$target" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix=build/fuzz/"$name"- -print_final_stats=1 "$found" "${seeds[@]}" \
    2> build/fuzz/"$name".log || { tail -40 build/fuzz/"$name".log; exit 1; }
  grep -E "stat::number_of_executed_units|stat::average_exec_per_sec" build/fuzz/"$name".log
done
