#!/bin/sh
# `ward he serve` and `ward he query`: a server with a model, a client with data, pins on both sides, loopback only.
#
# usage: he_service_test.sh WARD_PROGRAM
set -eu
ward=$1
. "$(dirname "$0")/lib.sh"
cd "$work"
server=
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

printf 'ward_mpc_job: 1\ndata: breast-cancer\nhidden: [8]\nepochs: 25\nbatch_size: 32\nlearning_rate: 0.05\n' > job.yaml
"$ward" mpc local job.yaml --out m.safetensors --no-twin > log 2>&1 || fail "training: $(cat log)"
for name in hospital bank stranger; do
  "$ward" key party $name --dir $name-keys > $name.pin || fail "key party $name"
done
cat bank.pin > clients.txt
cat hospital.pin > servers.txt

# One model, five connections: two of one client with the same secret key, one that stands still, one wrong, one of a
# stranger's plan.
"$ward" he serve m.safetensors --data breast-cancer --activation-degree 5 --scale-bits 45 --circuit-privacy 8 \
  --party hospital --dir hospital-keys --pins clients.txt --listen 127.0.0.1:0 --clients 5 > serve.out 2> serve.err &
server=$!
for _ in $(seq 600); do
  grep -q listening serve.out && break
  kill -0 $server 2>/dev/null || fail "serve: $(cat serve.err)"
  sleep 0.1
done
port=$(sed -n 's/^listening on port \([0-9]*\),.*/\1/p' serve.out)
query="$ward he query 127.0.0.1:$port --server hospital --pins servers.txt --data breast-cancer"

expect 3 "hospital" $query --party stranger --dir stranger-keys
$query --party bank --dir bank-keys --key he.key --count 20 > classes 2> err || fail "query: $(cat err)"
[ "$(wc -l < classes)" -eq 20 ] || fail "query: $(cat classes)"
[ "$(stat -c %a he.key)" = 600 ] || fail "mode of he.key"
$query --party bank --dir bank-keys --key he.key --count 20 --json > again 2> err || fail "query: $(cat err)"
python3 - classes again <<'PY' || fail "the same examples, another answer: $(cat classes again)"
import json, sys
first = open(sys.argv[1]).read().split("\n")[:20]
second = [json.loads(line) for line in open(sys.argv[2])]
clear = [abs(line["outputs"][1] - line["outputs"][0]) > 0.3 for line in second]  # beyond the noise
assert sum(clear) >= 15
assert all(line["prediction"] == name for line, name, sure in zip(second, first, clear) if sure)
PY
# A client that has come and says nothing more does not hold up the others, nor does one that never says anything.
python3 -c 'import socket, sys, time
silent = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
time.sleep(60)' "$port" & silent=$!
$query --party bank --dir bank-keys --count 114 > slow 2>&1 & slow=$!
for _ in $(seq 200); do [ "$(grep -c 'bank: 1 examples' serve.err)" -gt 40 ] && break; sleep 0.05; done
kill -STOP $slow
$query --party bank --dir bank-keys --key he.key --count 1 > one 2> err || fail "query beside others: $(cat err)"
kill -KILL $slow $silent
"$ward" he plan m.safetensors --data breast-cancer --activation-degree 5 --out other.plan > /dev/null
expect 3 "another plan" $query --party bank --dir bank-keys --plan other.plan
wait $server || fail "serve: $(cat serve.err)"
[ "$(grep -c 'bank: 1 examples' serve.err)" -ge 42 ] || fail "served: $(cat serve.err)"
echo ok
