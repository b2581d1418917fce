#!/usr/bin/env bash
# Do secret bytes steer a branch or an index in Ward's own code? Leads secrets marked as undefined through it under
# valgrind (tests/constant_time.cc); findings fail. Needs Debian's valgrind; about a minute.
#
# usage: scripts/check_constant_time.sh [CASE]
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind > /dev/null || { echo "valgrind is missing: apt-get install valgrind"; exit 77; }
build=build/constant-time
cmake --preset no-torch -B "$build" -DWARD_BENCH=OFF -DCMAKE_CXX_FLAGS="-g -DWARD_CONSTANT_TIME_CHECK" > /dev/null
cmake --build "$build" -j2 --target constant_time > /dev/null
program=$build/bin/constant_time
[ -x "$program" ] || program=$(find "$build" -name constant_time -type f -perm -u+x | head -1)
check() {
  valgrind -q --tool=memcheck --undef-value-errors=yes --track-origins=yes --leak-check=no --num-callers=20 \
    --suppressions=tests/constant_time.supp "$program" "$@"
}
if check self_test > /dev/null 2>&1; then
  echo "FAILED: a branch on a secret was not found; this check finds nothing" >&2
  exit 1
fi
check "$@"
echo "no branch or index in Ward's own code depends on a secret"
