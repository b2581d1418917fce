#!/usr/bin/env bash
# Owners that are no party share their tables, three `ward mpc train` processes align and train on shares, a recipient
# puts the model together, and new rows are scored: two banks (vertical), three hospitals (horizontal).
# mpc_owners_test.sh WARD
set -euo pipefail
ward=$1
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpc_lib.sh"

# Customers 0..399 with two columns at each bank; who defaults follows from all four. Hospitals: four columns each.
python3 - "$work" <<'PY'
import random, sys
work, draw = sys.argv[1], random.Random(5)
people = [[draw.uniform(0, 10) for _ in range(4)] for _ in range(400)]
label = ["yes" if p[0] - p[1] + p[2] - p[3] > 0 else "no" for p in people]
def write(name, header, rows):
    with open(f"{work}/{name}.csv", "w") as out:
        out.write(header + "\n" + "".join(",".join(str(v) for v in row) + "\n" for row in rows))
write("bank-a", "customer,a,b", [[f"C{i}", *people[i][:2]] for i in range(0, 350)])
order = list(range(50, 400)); draw.shuffle(order)
write("bank-b", "customer,c,d,default", [[f"C{i}", *people[i][2:], label[i]] for i in order])
for h in range(3):
    write(f"hospital-{h}", "patient,a,b,c,d,ill",
          [[f"P{i}", *people[i], label[i]] for i in range(h * 110, h * 110 + 120)])  # ten are at two of them
write("new", "patient,a,b,c,d,ill", [[f"N{i}", *people[i], label[i]] for i in range(350, 400)])
def schema(name, columns, label):
    text = "ward_schema: 1\nname: " + name + "\ncolumns:\n"
    text += f"  - {{name: {columns[0]}, kind: group}}\n"
    for c in columns[1:]: text += f"  - {{name: {c}, kind: numeric, min: 0, max: 10}}\n"
    if label: text += f"  - {{name: {label}, kind: label, classes: ['no', 'yes']}}\n"
    open(f"{work}/{name}.yaml", "w").write(text)
schema("schema-a", ["customer", "a", "b"], None)
schema("schema-b", ["customer", "c", "d"], "default")
schema("schema-h", ["patient", "a", "b", "c", "d"], "ill")
schema("schema-wide", ["patient", "a", "b", "c"], "ill")
PY

make_parties 3
readers=()
for i in 0 1 2; do readers+=("$("$ward" key new "$work/shares$i.key")"); done
recipient=$("$ward" key new "$work/recipient.key")
stranger=$("$ward" key new "$work/stranger.key")

party() {  # index share-file...
    local i=$1
    shift
    party_links "$i"
    printf 'shares: [%s]\nshares_key: %s\nconnect_seconds: 10\n' "$(IFS=,; echo "$*")" "$work/shares$i.key"
}
share() {  # owner schema options... ; appends the owner's line to $work/owners
    local owner=$1 schema=$2
    shift 2
    "$ward" mpc share "$work/$owner.csv" --as "$owner" --schema "$work/$schema.yaml" --to "${readers[@]}" \
        --out "${folder:-$work/sealed}" "$@" >>"$work/owners" 2>"$work/err"
}
job() {  # lines of the job that differ
    printf 'ward_mpc_job: 1\nrecipients: [%s]\nowners:\n' "$recipient"
    sed 's/^/  /' "$work/owners"
    printf '%s\n' "$@"
}
run() {  # command job out-name extra...
    local command=$1 job=$2 out=$3
    pids=()
    shift 3
    for i in 0 1 2; do
        local extra=("$@")
        extra=("${extra[@]//@/$i}")
        "$ward" mpc "$command" "$job" --party "$work/party$i.yaml" --out "$work/$out.$i.share" "${extra[@]}" --json \
            >"$work/out$i" 2>"$work/err$i" &
        pids+=($!)
    done
    wait_all
}
files() { for owner in "$@"; do echo "$work/sealed/$owner.INDEX.share"; done; }
parties() { for i in 0 1 2; do party "$i" $(files "$@" | sed "s/INDEX/$i/") >"$work/party$i.yaml"; done; }

# Two banks: 300 customers in common; neither bank nor party learns which.
: >"$work/owners"
share bank-a schema-a --id customer --no-labels || fail "share: $(cat "$work/err")"
share bank-b schema-b --id customer
grep -q '^- {name: bank-b, id: [0-9a-f]\{64\}}$' "$work/owners" || fail "owners: $(cat "$work/owners")"
if grep -q 'C17' "$work"/sealed/*; then fail "a share file shows an identifier"; fi
parties bank-a bank-b
training=('batch_size: 50' 'epochs: 40' 'learning_rate: 2')
job 'align: vertical' "${training[@]}" >"$work/banks.yaml"
"$ward" mpc forecast "$work/banks.yaml" --rows 300 --inputs 4 | grep -q '^steps  240' || fail "forecast of a job with owners"
expect 2 "give --rows and --inputs" "$ward" mpc forecast "$work/banks.yaml"
run train "$work/banks.yaml" banks || fail "banks: $(cat "$work"/err?)"
grep -q '"rows":300,' "$work/out1" || fail "rows in common: $(cat "$work/out1")"
grep -q 'training on shares' "$work/err2" || fail "no progress at party 2"
"$ward" mpc reveal "$work"/banks.{0,1,2}.share -i "$work/recipient.key" --out "$work/banks.safetensors" >"$work/out"
"$ward" inspect "$work/banks.safetensors" | grep -q 'bank-a and bank-b' || fail "the card does not name the owners"
# The model reads a table with the columns of both banks, by the bounds of both schemas.
python3 - "$work" <<'ROWS' || fail "the model of two banks does not fit a joined table"
import csv, json, struct, sys
work = sys.argv[1]
raw = open(f"{work}/banks.safetensors", "rb").read()
metadata = json.loads(raw[8:8 + struct.unpack("<Q", raw[:8])[0]])["__metadata__"]
columns = json.loads(metadata["ward_preprocessing"])["schema"]["columns"]
assert [c["name"] for c in columns] == ["a", "b", "c", "d", "default"] and columns[0]["max"] == 10, columns
assert json.loads(metadata["ward_card"])["training_examples"] == 300, metadata
read = lambda name: {r["customer"]: r for r in csv.DictReader(open(f"{work}/{name}.csv"))}
a, b = read("bank-a"), read("bank-b")
with open(f"{work}/joined.csv", "w") as out:
    out.write("d,customer,default,b,a,c\n")  # found by their names
    for c in a:
        if c in b: out.write(",".join([b[c]["d"], c, b[c]["default"], a[c]["b"], a[c]["a"], b[c]["c"]]) + "\n")
ROWS
if "$ward" evaluate --help | grep -q -- --split; then  # with LibTorch
    "$ward" evaluate "$work/banks.safetensors" --data "$work/joined.csv" --split all --json >"$work/out" 2>"$work/err" ||
        fail "evaluate: $(cat "$work/err")"
    python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["accuracy"] > 0.9' "$work/out" || fail "$(cat "$work/out")"
fi
expect 2 "do not go into a .csv file" "$ward" mpc reveal "$work"/banks.{0,1}.share -i "$work/recipient.key" --out "$work/x.csv"
expect 1 "--identity takes the key file of a recipient" "$ward" mpc reveal "$work"/banks.{0,1}.share -i "$work/stranger.key" --out "$work/x"
expect 3 "has rows of an owner" "$ward" mpc reveal "$work"/sealed/bank-a.{0,0}.share -i "$work/shares0.key" --out "$work/x"

# The rows in common are scored; bank-a gets the scores of its customers with their names, and nobody else can.
new_scores() {  # security
    run predict "$work/score-banks.yaml" both --model "$work/banks.@.share" || fail "predict: $(cat "$work"/err?)"
    "$ward" mpc reveal "$work"/both.{0,1,2}.share -i "$work/recipient.key" --out "$work/both.csv" >"$work/out"
    "$ward" mpc reveal "$work"/both.{0,1}.share -i "$work/recipient.key" --tags "$work/tags-a.csv" --out "$work/of-a.csv" >"$work/out"
    python3 - "$work" <<'ROWS' || fail "scores of rows in common: $(head -3 "$work"/both.csv "$work"/of-a.csv)"
import csv, sys
read = lambda name: list(csv.DictReader(open(f"{sys.argv[1]}/{name}.csv")))
labels = {r["customer"]: r["default"] for r in read("bank-b")}
a, both, of_a = read("bank-a"), read("both"), read("of-a")
common = [r["customer"] for r in a if r["customer"] in labels]
assert [r["customer"] for r in of_a] == common and len(common) == 300   # in the order of its table
right = sum((float(r["yes"]) > 0.5) == (labels[r["customer"]] == "yes") for r in of_a)
assert right > 0.9 * len(common), right
assert list(both[0]) == ["row of bank-a", "no", "yes"]
named = {r["row of bank-a"]: r["customer"] for r in read("tags-a")}
assert {named[r["row of bank-a"]]: r["yes"] for r in both} == {r["customer"]: r["yes"] for r in of_a}
ROWS
}
mkdir "$work/scored"
cp "$work/owners" "$work/owners-untagged"
: >"$work/owners"
folder=$work/scored share bank-a schema-a --id customer --no-labels --tags "$work/tags-a.csv" || fail "share: $(cat "$work/err")"
folder=$work/scored share bank-b schema-b --id customer --no-labels
[[ $(stat -c %a "$work/tags-a.csv") == 600 ]] || fail "the owner's tags can be read by others"
for i in 0 1 2; do party "$i" "$work"/scored/bank-{a,b}."$i".share >"$work/party$i.yaml"; done
for security in semi-honest malicious; do
    job 'align: vertical' "security: $security" >"$work/score-banks.yaml"
    new_scores
done
sed 's/bank-a/bank-z/' "$work/tags-a.csv" >"$work/tags-z.csv"
head -200 "$work/tags-a.csv" >"$work/tags-some.csv"
expect 1 'has "row of bank-z", the scores have "row of bank-a"' "$ward" mpc reveal "$work"/both.{0,1}.share \
    -i "$work/recipient.key" --tags "$work/tags-z.csv" --out "$work/x.csv"
expect 1 "only some of the rows" "$ward" mpc reveal "$work"/both.{0,1}.share \
    -i "$work/recipient.key" --tags "$work/tags-some.csv" --out "$work/x.csv"
mv "$work/owners-untagged" "$work/owners"
job 'align: vertical' >"$work/untagged.yaml"
parties bank-a bank-b
expect 1 "bank-a.1.share: its rows have no tags" "$ward" mpc predict "$work/untagged.yaml" --party "$work/party1.yaml" \
    --model "$work/banks.1.share" --out "$work/x"

sed "s/shares1.key/stranger.key/" "$work/party1.yaml" >"$work/wrong.yaml"
expect 1 "shares_key: in the party file" "$ward" mpc train "$work/banks.yaml" --party "$work/wrong.yaml" --out "$work/x"

# A party is killed in the middle; all three started again, the job goes on from their checkpoints to its end.
for i in 0 1 2; do party_checkpoints "$i" >>"$work/party$i.yaml"; done
job 'align: vertical' 'batch_size: 50' 'epochs: 400' >"$work/long.yaml"
run train "$work/long.yaml" killed & running=$!
wait_for_checkpoint
pkill -9 -f "mpc train $work/long.yaml --party $work/party1.yaml" || fail "nothing to kill"
if wait "$running"; then fail "a job ended although a party was killed"; fi
[[ -f "$work/state1" ]] || fail "no checkpoint after a kill: $(cat "$work"/err?)"
run train "$work/long.yaml" killed || fail "the job did not go on: $(cat "$work"/err?)"
grep -q 'going on from the state of step [1-9]' "$work/err0" || fail "from where: $(cat "$work/err0")"
[[ -f "$work/killed.0.share" && ! -e "$work/state0" ]] || fail "a finished job left its checkpoint"

# The banks find their customers in common themselves, and share these rows alone: no join, so also against deviations.
for i in 0 1; do read -r _ "bank_pin$i" < <("$ward" key party "bank-$i" --dir "$work/keys$i"); done
echo "bank-1 $bank_pin1" >"$work/pins0"; echo "bank-0 $bank_pin0" >"$work/pins1"
intersect() {  # options...
    "$ward" mpc intersect "$work/bank-a.csv" --id customer --party bank-0 --dir "$work/keys0" --pins "$work/pins0" \
        --peer bank-1 --listen "127.0.0.1:${ports[0]}" "${@/@/a}" --json >"$work/out0" 2>"$work/err0" & pids=($!)
    "$ward" mpc intersect "$work/bank-b.csv" --id customer --party bank-1 --dir "$work/keys1" --pins "$work/pins1" \
        --peer bank-0 --connect "127.0.0.1:${ports[0]}" "${@/@/b}" --json >"$work/out1" 2>"$work/err1" & pids+=($!)
    wait_all
}
intersect --size-only || fail "intersect: $(cat "$work"/err?)"
grep -q '"rows":350,"peer_rows":350,"common":300,' "$work/out1" || fail "common: $(cat "$work/out1")"
intersect --out "$work/common-@.csv" || fail "intersect: $(cat "$work"/err?)"
intersect --fast --out "$work/fast-@.csv" || fail "intersect --fast: $(cat "$work"/err?)"
[[ $(wc -l <"$work/common-a.csv") == 301 ]] || fail "common: $(head -3 "$work/common-a.csv")"
for other in common-b fast-a fast-b; do cmp "$work/common-a.csv" "$work/$other.csv" || fail "$other differs"; done
: >"$work/owners"
folder=$work/same share bank-a schema-a --id customer --no-labels --rows "$work/common-a.csv" || fail "share: $(cat "$work/err")"
folder=$work/same share bank-b schema-b --id customer --rows "$work/common-b.csv" || fail "share: $(cat "$work/err")"
for i in 0 1 2; do party "$i" "$work/same/bank-a.$i.share" "$work/same/bank-b.$i.share" >"$work/party$i.yaml"; done
job 'align: rows' 'security: malicious' 'batch_size: 50' 'epochs: 1' >"$work/rows.yaml"
run train "$work/rows.yaml" rows || fail "align: rows: $(cat "$work"/err?)"
grep -q '"rows":300,' "$work/out1" || fail "rows in common: $(cat "$work/out1")"
"$ward" mpc reveal "$work"/rows.{0,1,2}.share -i "$work/recipient.key" --out "$work/rows.safetensors" >"$work/out"
echo C999 >>"$work/common-a.csv"
expect 1 'no row of "C999"' "$ward" mpc share "$work/bank-a.csv" --as bank-a --schema "$work/schema-a.yaml" --id customer \
    --no-labels --rows "$work/common-a.csv" --to "${readers[@]}" --out "$work/none"
expect 1 "has no pin of bank-z" "$ward" mpc intersect "$work/bank-a.csv" --id customer --party bank-0 --dir "$work/keys0" \
    --pins "$work/pins0" --peer bank-z --listen 127.0.0.1:0 --out "$work/x"
expect 2 "one owner needs --listen" "$ward" mpc intersect "$work/bank-a.csv" --id customer --party bank-0 --dir "$work/keys0" \
    --pins "$work/pins0" --peer bank-1 --out "$work/x"

# Three hospitals, every patient once; the same with security against deviations and all rows.
: >"$work/owners"
for h in 0 1 2; do share "hospital-$h" schema-h --id patient; done
parties hospital-0 hospital-1 hospital-2
job 'align: horizontal' 'distinct: true' "${training[@]}" >"$work/hospitals.yaml"
run train "$work/hospitals.yaml" hospitals || fail "hospitals: $(cat "$work"/err?)"
grep -q '"rows":340,' "$work/out0" || fail "distinct patients: $(cat "$work/out0")"
job 'align: horizontal' 'security: malicious' 'batch_size: 60' 'epochs: 1' >"$work/verified.yaml"
run train "$work/verified.yaml" verified || fail "verified: $(cat "$work"/err?)"
grep -q '"rows":360,' "$work/out0" || fail "all rows: $(cat "$work/out0")"

# Statistics of all patients, exact and with differential privacy.
job 'align: horizontal' 'statistics: {bound: 1, edges: [0.25, 0.5, 0.75], quantiles: [0.5]}' >"$work/exact.yaml"
run statistics "$work/exact.yaml" exact || fail "statistics: $(cat "$work"/err?)"
"$ward" mpc reveal "$work"/exact.{0,1,2}.share -i "$work/recipient.key" --out "$work/exact.json" >"$work/out"
job 'align: horizontal' 'statistics: {bound: 1, edges: [0.5], epsilon: 1, delta: 1e-6}' >"$work/private.yaml"
run statistics "$work/private.yaml" private || fail "private statistics: $(cat "$work"/err?)"
"$ward" mpc reveal "$work"/private.{1,2}.share -i "$work/recipient.key" --out "$work/private.json" >"$work/out"
python3 - "$work" <<'PY' || fail "statistics: $(cat "$work"/exact.json "$work"/private.json)"
import csv, json, statistics, sys
work = sys.argv[1]
rows = [r for h in range(3) for r in csv.DictReader(open(f"{work}/hospital-{h}.csv"))]
exact, private = (json.load(open(f"{work}/{n}.json")) for n in ("exact", "private"))
assert exact["rows"] == len(rows) == 360
for column in exact["columns"]:
    values = sorted(float(r[column["column"]]) / 10 for r in rows)
    assert abs(column["mean"] - statistics.fmean(values)) < 1e-3, column
    assert abs(column["variance"] - statistics.pvariance(values)) < 1e-3, column
    assert sum(column["counts"]) == 360 and abs(column["quantiles"][0] - values[179]) < 1e-3, column
assert private["privacy"]["epsilon"] <= 1 and private["columns"][0]["counts"] != [180, 180]
assert any(abs(p["mean"] - e["mean"]) > 1e-3 for p, e in zip(private["columns"], exact["columns"]))
PY
job 'align: horizontal' 'security: malicious' 'statistics: {bound: 1, edges: [0.5], epsilon: 3, delta: 1e-6}' >"$work/sure.yaml"
run statistics "$work/sure.yaml" sure || fail "verified private statistics: $(cat "$work"/err?)"
"$ward" mpc reveal "$work"/sure.{0,1,2}.share -i "$work/recipient.key" --out "$work/sure.json" >"$work/out"
grep -q 'one party that may deviate' "$work/sure.json" || fail "statement: $(cat "$work/sure.json")"

# New patients are scored by the shared model; the recipient alone sees the scores.
: >"$work/owners"
share new schema-h --no-labels --id patient
parties new
job >"$work/score.yaml"
run predict "$work/score.yaml" scores --model "$work/hospitals.@.share" || fail "predict: $(cat "$work"/err?)"
expect 3 "the job has the digest" "$ward" mpc predict "$work/score.yaml" --party "$work/party1.yaml" --out "$work/x" \
    --model "$work/hospitals.1.share" --digest 00
"$ward" mpc reveal "$work"/scores.{2,0}.share -i "$work/recipient.key" --out "$work/scores.csv" >"$work/out"
python3 - "$work" <<'PY' || fail "scores: $(head -3 "$work/scores.csv")"
import csv, sys
scores = list(csv.DictReader(open(sys.argv[1] + "/scores.csv")))
truth = [row["ill"] for row in csv.DictReader(open(sys.argv[1] + "/new.csv"))]
right = sum((float(s["yes"]) > 0.5) == (t == "yes") for s, t in zip(scores, truth, strict=True))
assert right > 0.9 * len(truth), right
PY

# Rows that were encoded otherwise than those of the training would be scored wrongly.
sed 's/max: 10}/max: 20}/' "$work/schema-h.yaml" >"$work/schema-other.yaml"
: >"$work/owners"
folder=$work/other share new schema-other --no-labels --id patient
for i in 0 1 2; do party "$i" "$work/other/new.$i.share" >"$work/party$i.yaml"; done
job >"$work/score-other.yaml"
expect 1 "encoded in another way" "$ward" mpc predict "$work/score-other.yaml" --party "$work/party1.yaml" --out "$work/x" \
    --model "$work/hospitals.1.share"
expect 2 "one key twice" "$ward" mpc share "$work/new.csv" --as twice --schema "$work/schema-h.yaml" --id patient \
    --to "${readers[0]}" "${readers[0]}" "${readers[1]}" --out "$work/none"

# What does not fit is refused before anyone is called, and named.
: >"$work/owners"
expect 1 "exists: jobs may name its id" "$ward" mpc share "$work/hospital-0.csv" --as hospital-0 \
  --schema "$work/schema-h.yaml" --id patient --to "${readers[@]}" --out "$work/sealed"
rm "$work"/sealed/hospital-[01].*
share hospital-0 schema-h --id patient
share hospital-1 schema-wide --id patient
parties hospital-0 hospital-1
job 'align: horizontal' >"$work/misfit.yaml"
expect 1 "hospital-0.1.share and $work/sealed/hospital-1.1.share: have 4 and 3 inputs" \
    "$ward" mpc train "$work/misfit.yaml" --party "$work/party1.yaml" --out "$work/x"
sed -i 's/id: ..../id: 0000/' "$work/misfit.yaml"
expect 1 "none of this party's shares is the data of hospital-0" \
    "$ward" mpc train "$work/misfit.yaml" --party "$work/party1.yaml" --out "$work/x"
# Values outside the bounds of the schema, which training would move to the bound, are refused by row and column.
sed '3s/^P221,[^,]*,/P221,10.5,/' "$work/hospital-2.csv" >"$work/beyond.csv"
expect 1 "beyond.csv row 1, column 'a': 10.5 is outside the declared bounds 0 to 10" "$ward" mpc share "$work/beyond.csv" \
    --as beyond --schema "$work/schema-h.yaml" --id patient --to "${readers[@]}" --out "$work/none"
share beyond schema-h --id patient --clamp || fail "share --clamp: $(cat "$work/err")"
grep -q '1 values lay outside' "$work/err" || fail "clamped in silence: $(cat "$work/err")"
python3 -c 'import sys
open(sys.argv[1], "wb").write(b"\x93NUMPY\x01\x00F\x00" + b"{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": (2, 2), }".ljust(69) + b"\n"
    + __import__("struct").pack("<4f", 1, 2, 3, 40000))' "$work/wide.npy"
expect 1 "row 1, column 1: values must be finite and below 32768" "$ward" mpc share "$work/wide.npy" --as wide \
    --no-labels --to "${readers[@]}" --out "$work/sealed"
echo ok
