#!/usr/bin/env bash
# `ward encrypt` and `ward decrypt` against age on one file, the two programs taking turns: seconds (best and median of
# the rounds), CPU seconds, peak memory, and the ratio. Prints the processor and the programs' versions.
#
# usage: bench/bench_age.sh WARD_PROGRAM [BYTES] [ROUNDS] [FOLDER]      (default 1 GB, 5 rounds, a folder in TMPDIR)
set -euo pipefail
ward=$(realpath "$1")
bytes=${2:-1000000000}
rounds=${3:-5}
work=$(mktemp -d ${4:+-p "$4"})
trap 'rm -rf "$work"' EXIT
cd "$work"
grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //'
echo "$(nproc) processors, $(age --version | sed 's/^v*/age /'), ward $("$ward" --version), $bytes bytes, $rounds rounds, $(stat -f -c %T .)"
"$ward" key new key.txt > pub
head -c "$bytes" /dev/urandom > plain
age -R pub -o ref.age plain

# measure NAME COMMAND...: one line "seconds user+system KiB" appended to NAME.times
measure() {
  local name=$1
  shift
  rm -f out
  /usr/bin/env python3 - "$name.times" "$@" << 'PY'
import os, resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[2:], check=True)
seconds = time.perf_counter() - start
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "a") as file:
    file.write(f"{seconds} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss}\n")
PY
}
for ((round = 0; round < rounds; ++round)); do
  measure age-encrypt age -R pub -o out plain
  measure ward-encrypt "$ward" encrypt -R pub plain out
  measure age-decrypt age -d -i key.txt -o out ref.age
  measure ward-decrypt "$ward" decrypt -i key.txt ref.age out
  cmp out plain
done
python3 - "$bytes" << 'PY'
import statistics, sys
size = int(sys.argv[1])
best = {}
for name in ("age-encrypt", "ward-encrypt", "age-decrypt", "ward-decrypt"):
    rows = [tuple(map(float, line.split())) for line in open(name + ".times")]
    best[name] = min(row[0] for row in rows)
    print(f"{name:13} best {best[name]:.3f} s ({size / best[name] / 1e9:.2f} GB/s)  "
          f"median {statistics.median(row[0] for row in rows):.3f} s  "
          f"cpu {statistics.median(row[1] for row in rows):.2f} s  peak {max(row[2] for row in rows) / 1024:.0f} MiB")
for what in ("encrypt", "decrypt"):
    print(f"{what}: ward is {best['age-' + what] / best['ward-' + what]:.2f} times as fast as age")
PY
