#!/usr/bin/env bash
# A table with several rows per person: the split keeps people whole, predict needs no id, and everyone is told that
# the guarantee is per row: cli_group_test.sh WARD
set -euo pipefail
ward="$1"
. "$(dirname "$0")/lib.sh"

awk 'BEGIN { print "who,age,sick"; for (i = 0; i < 400; ++i) print int(i / 4) "," i % 90 "," (i % 90 > 45) }' \
    >"$work/rows.csv"
cd "$work"
"$ward" data describe rows.csv --group who --label sick --write-schema schema.yaml >/dev/null 2>&1
"$ward" train --data rows.csv --schema schema.yaml --epsilon 2 --epochs 2 --out m.safetensors --progress off \
    >train.txt 2>&1 || fail "train: $(cat train.txt)"
grep -q "warning: not covered: all rows of one person" train.txt || fail "train does not warn: $(cat train.txt)"
"$ward" inspect m.safetensors >inspect.txt
grep -q "    - all rows of one person" inspect.txt || fail "inspect does not say what is not covered"
grep -q "    - bounds and categories of columns, which were read" inspect.txt || fail "inspect hides the bounds"
grep -q "^  How: " inspect.txt || fail "inspect does not keep the lines of the statement"
grep -q "all rows of one person" m.record.json || fail "the record does not say what is not covered"
printf 'age,sick\n80,\n' >new.csv
"$ward" predict m.safetensors --data new.csv >predicted.txt 2>/dev/null || fail "predict wants an id or an outcome"
[[ $(wc -l <predicted.txt) -eq 2 ]] || fail "predict: $(cat predicted.txt)"
echo "people with several rows are respected"
