#!/bin/sh
# `ward inspect` and `ward report` as a user runs them: output on stdout, one-line errors, exit codes.
#
# usage: cli_model_test.sh WARD_PROGRAM SOURCE_FOLDER
set -eu
ward=$1
source=$2
. "$(dirname "$0")/lib.sh"

# A safetensors file of one F32 tensor with 2 values: length 64, header, 8 bytes.
{
  printf '\100\0\0\0\0\0\0\0'
  printf '%-64s' '{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
  printf '\0\0\200\077\0\0\0\100'
} > "$work/other.safetensors"
"$ward" inspect "$work/other.safetensors" | grep -q 'w *F32 *{2}' || fail "inspect does not list the tensor"
"$ward" inspect "$work/other.safetensors" --json | grep -q '"dtype": "F32"' || fail "inspect --json"

head -c 70 "$work/other.safetensors" > "$work/cut.safetensors"
expect 1 "$work/cut.safetensors: the header claims 64 bytes, only 62 follow" "$ward" inspect "$work/cut.safetensors"
head -c 76 "$work/other.safetensors" > "$work/short.safetensors"
expect 1 "$work/short.safetensors: tensor \"w\": bytes 0 to 8 are not within the 4 bytes of data" \
  "$ward" inspect "$work/short.safetensors"
expect 1 "cannot open $work/none: No such file or directory" "$ward" inspect "$work/none" --json
expect 2 "" "$ward" inspect

sample=$source/tests/data/report/cancer.record.json
sed 's/"delta":0.0001/"delta":2/' "$sample" > "$work/bad.record.json"
expect 1 "$work/bad.record.json: privacy: delta must be a number between 0 and 1, got 2" \
  "$ward" report "$work/bad.record.json" --out "$work/r.html"
[ ! -e "$work/r.html" ] || fail "a report was written in spite of an error"
expect 2 "the folder of --out does not exist: $work/no" "$ward" report "$sample" --out "$work/no/r.html"
expect 2 "" "$ward" report
echo passed
