#!/usr/bin/env bash
# A table with several rows per person: the split keeps people whole, predict needs no id, and whose privacy
# is protected must be said, and is said everywhere: cli_group_test.sh WARD
set -euo pipefail
ward="$(realpath "$1")"
. "$(dirname "$0")/lib.sh"

awk 'BEGIN { print "who,age,sick"; for (i = 0; i < 400; ++i) print int(i / 4) "," i % 90 "," (i % 90 > 45) }' \
    >"$work/rows.csv"
cd "$work"
"$ward" data describe rows.csv --group who --label sick --write-schema schema.yaml >/dev/null 2>&1
train() { "$ward" train --data rows.csv --schema schema.yaml --delta 1e-4 --epochs 2 --progress off "$@"; }

# Nobody is left to guess whose privacy is meant.
expect 2 "whose privacy is to be protected?" train --epsilon 2 --out m.safetensors
expect 2 "--unit row single rows" train --epsilon 2 --out m.safetensors --unit row --max-per-group 2
expect 2 "no column of" "$ward" train --data digits --epsilon 2 --no-save --max-per-group 2
expect 2 "needs the column" "$ward" train --data digits --epsilon 2 --no-save --unit group

# Single rows on request, and what that does not cover.
train --epsilon 2 --unit row --out m.safetensors >train.txt 2>&1 || fail "train: $(cat train.txt)"
grep -q "warning: not covered: all rows of one person" train.txt || fail "train does not warn: $(cat train.txt)"
"$ward" inspect m.safetensors >inspect.txt
grep -q "    - all rows of one person" inspect.txt || fail "inspect does not say what is not covered"
grep -q "    - The bounds and categories of the columns: they were read" inspect.txt || fail "inspect hides the bounds"
grep -q "^  How: " inspect.txt || fail "inspect does not keep the lines of the statement"
grep -q "all rows of one person" m.record.json || fail "the record does not say what is not covered"
"$ward" report m.record.json --out report.html >/dev/null
grep -q "of each row; not of a person with several rows" report.html || fail "the report's headline hides the persons"

# Whole persons: the same epsilon costs more noise, rows beyond the limit are dropped, and every text says so.
train --epsilon 2 --max-per-group 3 --out g.safetensors >group.txt 2>&1 || fail "train: $(cat group.txt)"
grep -qE "rows were dropped: at most 3 of each group are used" group.txt || fail "no word of the dropped rows: $(cat group.txt)"
grep -qE "^privacy  *epsilon (2.0000|1.99[0-9]*) at delta 0.0001 for each group of at most 3 rows" group.txt || fail "$(cat group.txt)"
if grep -q "not covered: all rows" group.txt; then fail "a guarantee for groups is called one for rows"; fi
"$ward" inspect g.safetensors | grep -q "one group of at most 3 training examples" || fail "the card does not name the unit"
"$ward" report g.record.json --out report.html --json report.json >/dev/null
grep -q "of each group of at most 3 rows" report.html || fail "the report's headline does not name the unit"
python3 - <<'PY' || fail "the figures for groups do not fit together"
import json
rows, groups = (json.load(open(name))["privacy"] for name in ("m.record.json", "g.record.json"))
assert groups["unit"] == "group" and groups["max_contributions"] == 3 and groups["plan"]["unit"] == "group"
assert groups["noise_multiplier"] > 3 * rows["noise_multiplier"], (groups["noise_multiplier"], rows["noise_multiplier"])
assert groups["epsilon_upper"] <= 2
json.dump(groups["plan"], open("plan.json", "w"))
report = json.load(open("report.json"))
figures = report["subjects"][0]["sections"][0]["evidence"][0]["figures"]
assert figures[-1]["note"] == "agrees", figures
curve = json.load(open("g.record.json"))["curve"]
assert abs(curve[-1]["epsilon"] - groups["epsilon_upper"]) < 1e-9, curve
PY
"$ward" account --plan plan.json | grep -q "one group of at most 3 training examples" || fail "account does not take the plan of a record"
"$ward" account --plan g.safetensors --json | grep -q '"epsilon": ' || fail "account does not take the plan of a card"
train --noise-multiplier 5 --max-per-group 3 --dry-run --json 2>/dev/null | grep -q '"unit": "group"' || fail "--dry-run forgets the unit"

printf 'age,sick\n80,\n' >new.csv
"$ward" predict m.safetensors --data new.csv >predicted.txt 2>/dev/null || fail "predict wants an id or an outcome"
[[ $(wc -l <predicted.txt) -eq 2 ]] || fail "predict: $(cat predicted.txt)"
echo "people with several rows are respected"
