#!/bin/sh
# Evasion of a table as a user makes it: rows stay rows by the model's own schema: attack_table_test.sh WARD
set -eu
ward=$1
. "$(dirname "$0")/lib.sh"
cd "$work"

# Sick are those of town b, and the old.
awk 'BEGIN { print "age,town,sick"; for (i = 0; i < 400; i++) { age = (i * 37) % 90; town = substr("abc", (i * 7) % 3 + 1, 1);
  print age "," town "," ((town == "b" || age > 60) ? "yes" : "no") } }' > people.csv
cat > people.yaml <<'YAML'
ward_schema: 1
name: people
columns:
  - {name: age, kind: integer, min: 0, max: 100}
  - {name: town, kind: categorical, categories: [a, b, c]}
  - {name: sick, kind: label, classes: ["no", "yes"]}
YAML
"$ward" train --data people.csv --schema people.yaml --no-privacy --model mlp --epochs 60 --out m.safetensors > /dev/null 2>&1
evade() { "$ward" attack evasion --epsilon 0.03 --model m.safetensors --data people.csv --schema people.yaml --json "$@" 2> err; }
robust() { sed 's/.*"robust_accuracy":\([0-9.]*\).*/\1/' "$1"; }
less() { awk "BEGIN { exit !($(robust "$1") < $(robust "$2")) }"; }

evade --attack table > held.json || fail "$(cat err)"
evade --attack table --change-categories 1 > changed.json || fail "$(cat err)"
evade --attack table --change-categories 1 --immutable town > fixed.json || fail "$(cat err)"
evade --attack pgd --between-rows > between.json || fail "$(cat err)"
grep -q '"rows_only":true,"categories_changed_at_most":1' changed.json || fail "$(cat changed.json)"
grep -q '"robust_accuracy_8bit":null' held.json || fail "a table has no 8 bits: $(cat held.json)"
grep -q '"robust_accuracy_8bit":null' between.json || fail "a table has no 8 bits: $(cat between.json)"
grep -q '"rejected":0' changed.json || fail "the attack hands back what is no row: $(cat changed.json)"
less changed.json held.json || fail "another town changes nothing: $(cat changed.json held.json)"
[ "$(robust fixed.json)" = "$(robust held.json)" ] || fail "an immutable town changed: $(cat fixed.json held.json)"

"$ward" train --data digits --no-privacy --model logistic --epochs 1 --out d.safetensors > /dev/null 2>&1
expect 2 "--change-categories is for tables with a schema" "$ward" attack evasion --attack pgd --epsilon 0.1 \
  --model d.safetensors --data digits --change-categories 1
expect 2 "the attack table is for rows of a table" "$ward" attack evasion --attack table --epsilon 0.1 --model d.safetensors --data digits
echo "passed: robust $(robust held.json), with one category changed $(robust changed.json)"
