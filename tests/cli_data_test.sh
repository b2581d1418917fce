#!/bin/sh
# `ward data describe` as a user runs it: output on stdout, one-line errors with a remedy, exit codes.
#
# usage: cli_data_test.sh WARD_PROGRAM
set -eu
ward=$1
. "$(dirname "$0")/lib.sh"

"$ward" data describe digits > "$work/text" 2> "$work/err"
grep -q '1797 rows' "$work/text" || fail "digits does not have 1797 rows"
grep -q 'no privacy guarantee covers it' "$work/err" || fail "the output is not called unprotected"
"$ward" data describe breast-cancer --json 2> "$work/err" | grep -q '"malignant"' || fail "describe --json"

printf 'age;smoker;sick\n50;yes;0\n61;no;1\n?;yes;1\n' > "$work/clinic.csv"
expect 1 "line 1 has 1 field with the delimiter ','" "$ward" data describe "$work/clinic.csv"
expect 1 "ward: hint: is the delimiter ';'? (--delimiter)" "$ward" data describe "$work/clinic.csv"
"$ward" data describe "$work/clinic.csv" --delimiter ';' --label sick --write-schema "$work/s.yaml" \
  > "$work/text" 2> "$work/err"
grep -q '^  age  *numeric  *1 ' "$work/text" || fail "the missing age is not counted"
grep -q 'bounds_from_data: true' "$work/s.yaml" || fail "the schema is not marked"
grep -q 'classes: \["0", "1"\]' "$work/s.yaml" || fail "the schema has no classes"
"$ward" data describe "$work/clinic.csv" --schema "$work/s.yaml" > "$work/text" 2> "$work/err"
grep -q '^  sick  *label ' "$work/text" || fail "the written schema is not used"

expect 1 "ward: error: no file, folder or built-in data set is called 'digit'" "$ward" data describe digit
expect 1 "has no column 'ill'" "$ward" data describe "$work/clinic.csv" --delimiter ';' --label ill
expect 2 "--delimiter must be one character" "$ward" data describe "$work/clinic.csv" --delimiter ';;'
expect 2 "no data given" "$ward" data describe
"$ward" data describe --data digits 2> "$work/err" | grep -q '1797 rows' || fail "describe --data"
if "$ward" data describe --help | grep -q REQUIRED; then fail "the help calls both PATH and --data required"; fi
expect 2 "" "$ward" data
printf 'ward_schema: 1\ncolums: []\n' > "$work/bad.yaml"
expect 1 "bad.yaml line 2: unknown key 'colums'" "$ward" data describe "$work/clinic.csv" --schema "$work/bad.yaml"
printf 'age;smoker;sick\n50;yes\n' > "$work/ragged.csv"
expect 1 "ragged.csv line 2 has 2 fields, the header has 3" "$ward" data describe "$work/ragged.csv" --delimiter ';'
expect 1 "No such file or directory" "$ward" data describe digits --write-schema "$work/none/s.yaml"
if [ -w /dev/full ]; then
  got=0
  "$ward" data describe digits > /dev/full 2> "$work/err" || got=$?
  [ "$got" -eq 1 ] || fail "a full standard output: exit code $got, expected 1"
  grep -q 'cannot write all of the standard output' "$work/err" || fail "a full output: $(cat "$work/err")"
fi
printf 'who,age,sick\n17,50,0\n17,61,1\n18,40,1\n' > "$work/people.csv"
"$ward" data describe "$work/people.csv" --label sick --group who --write-schema "$work/g.yaml" \
  > "$work/text" 2> "$work/err"
grep -A1 'name: who' "$work/g.yaml" | grep -q 'kind: group' || fail "--group is not in the written schema"

# A written schema is not overwritten, ids and dates are left out of it, and that is said.
expect 2 "s.yaml exists already" "$ward" data describe digits --write-schema "$work/s.yaml"
grep -q 'smoker' "$work/s.yaml" || fail "the existing schema was overwritten"
awk 'BEGIN { print "encounter_id,name,admitted,sex,age,income,ill"
  for (i = 0; i < 60; ++i) printf "%d,name%d,%d/%d/2023,%s,%d,%d.5,%d\n", 100000 + 7 * i, i, 1 + i % 28, 1 + i % 12,
    i % 2 ? "f" : "m", 20 + i % 40, 1000 + 13 * i, i % 3 == 0 }' > "$work/visits.csv"
"$ward" data describe "$work/visits.csv" --label ill --write-schema "$work/s.yaml" --force > "$work/text" 2> "$work/err"
for column in encounter_id name admitted; do
  grep -A1 "name: $column\$" "$work/s.yaml" | grep -q 'kind: ignored  # left out: ' || fail "$column is not left out: $(cat "$work/s.yaml")"
  grep -q "warning: column $column: left out: " "$work/err" || fail "$column is left out in silence"
done
for column in sex:categorical age:integer income:numeric ill:label; do
  grep -A1 "name: ${column%:*}\$" "$work/s.yaml" | grep -q "kind: ${column#*:}\$" || fail "$column: $(cat "$work/s.yaml")"
done
grep -q '^  admitted  *date ' "$work/text" || fail "a date is called something else: $(cat "$work/text")"
"$ward" data describe "$work/visits.csv" --label ill --json 2> "$work/err" | grep -A12 '"left_out"' | grep -q '"name": "encounter_id"' ||
  fail "describe --json does not say what is left out"

# Text that is not UTF-8 is refused with its place, and read on request.
printf 'age,town,ill\n50,K\366ln,0\n60,Bonn,1\n' > "$work/latin1.csv"
expect 1 "latin1.csv line 2, column 2 (town): byte 0xF6 is not UTF-8 text" "$ward" data describe "$work/latin1.csv"
"$ward" data describe "$work/latin1.csv" --encoding latin1 2> "$work/err" | grep -q 'Köln (1)' || fail "--encoding latin1"
expect 2 "--encoding" "$ward" data describe "$work/latin1.csv" --encoding ebcdic

# A schema that Ward ships is for rows that look like it, not for every file of that name.
printf 'age,ill\n50,0\n60,1\n' > "$work/framingham.csv"
"$ward" data describe "$work/framingham.csv" 2> "$work/err" | grep -q "framingham.yaml goes by the file's name but was not used" ||
  fail "the wrong schema is used, or dropped in silence"
echo passed
