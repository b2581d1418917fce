#!/bin/sh
# `ward data describe` as a user runs it: output on stdout, one-line errors with a remedy, exit codes.
#
# usage: cli_data_test.sh WARD_PROGRAM
set -eu
ward=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $1" >&2; exit 1; }

# expect CODE TEXT COMMAND...: exit code, nothing on stdout, and the text on standard error.
expect() {
  code=$1 text=$2
  shift 2
  got=0
  "$@" > "$work/out" 2> "$work/err" || got=$?
  [ "$got" -eq "$code" ] || fail "$*: exit code $got, expected $code"
  [ ! -s "$work/out" ] || fail "$*: wrote to stdout in spite of an error"
  grep -qF -- "$text" "$work/err" || fail "$*: $(cat "$work/err"), expected: $text"
}

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
expect 2 "" "$ward" data describe
expect 2 "" "$ward" data
printf 'ward_schema: 1\ncolums: []\n' > "$work/bad.yaml"
expect 1 "bad.yaml line 2: unknown key 'colums'" "$ward" data describe "$work/clinic.csv" --schema "$work/bad.yaml"
printf 'age;smoker;sick\n50;yes\n' > "$work/ragged.csv"
expect 1 "ragged.csv line 2 has 2 fields, the header has 3" "$ward" data describe "$work/ragged.csv" --delimiter ';'
expect 1 "No such file or directory" "$ward" data describe digits --write-schema "$work/none/s.yaml"
echo passed
