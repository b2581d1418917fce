#!/usr/bin/env bash
# Three `ward mpc node` processes over TLS on this machine: a job to its end, a party killed with SIGKILL and all three
# started again, a slow party, a full disk, another job, another identity: mpc_node_test.sh WARD
set -euo pipefail
ward=$1
. "$(dirname "$0")/lib.sh"

ports=($(python3 -c 'import socket
held = [socket.socket() for _ in range(3)]
for s in held: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])'))
for i in 0 1 2; do
    read -r _ "pin$i" < <("$ward" key party "party-$i" --dir "$work/keys$i")
done

party() {  # index
    local next=$((($1 + 1) % 3)) previous=$((($1 + 2) % 3))
    local next_pin="pin$next" previous_pin="pin$previous"
    cat <<YAML
ward_mpc_party: 1
index: $1
identity: party-$1
keys: $work/keys$1
listen: 127.0.0.1:${ports[$1]}
next:
  name: party-$next
  address: 127.0.0.1:${ports[$next]}
  pin: ${!next_pin}
previous:
  name: party-$previous
  pin: ${!previous_pin}
checkpoint: $work/state$1
checkpoint_key: $work/state$1.key
checkpoint_steps: 5
connect_seconds: 4
YAML
    if [[ $1 == 0 ]]; then echo "data: breast-cancer"; fi
}
job() {  # epochs security
    printf 'ward_mpc_job: 1\nexamples: %s\ninputs: 30\nclasses: 2\nhidden: [8]\nbatch_size: 32\nlearning_rate: 0.05\n' 454
    printf 'epochs: %s\nsecurity: %s\n' "$1" "$2"
}
for i in 0 1 2; do party "$i" >"$work/party$i.yaml"; done
start() {  # index job
    local out=(); if [[ $1 == 0 ]]; then out=(--out "$work/model.safetensors"); fi
    exec "$ward" mpc node "$2" --party "$work/party$1.yaml" "${out[@]}" --json >"$work/out$1" 2>"$work/err$1"
}
pids=()
start_all() {  # job
    pids=()
    for i in 0 1 2; do start "$i" "$1" & pids+=($!); done
}
wait_all() { local status=0; for pid in "${pids[@]}"; do wait "$pid" || status=1; done; return $status; }

# To the end, and what it printed.
job 4 semi-honest >"$work/job.yaml"
start_all "$work/job.yaml"
wait_all || fail "a party has failed: $(cat "$work"/err?)"
python3 - "$work/out0" <<'PY' || fail "output: $(cat "$work/out0")"
import json, sys
result = json.loads(open(sys.argv[1]).read())
assert result["train_accuracy"] > 0.8 and result["rounds"] > 100, result
PY
[[ -f "$work/model.safetensors" ]] || fail "no model"
[[ ! -e "$work/state0" ]] || fail "a finished job left its checkpoint"

# One party is killed; the others stop and say why; started again, the job goes on.
rm "$work/model.safetensors"
job 200 semi-honest >"$work/long.yaml"
start_all "$work/long.yaml"
for ((i = 0; i < 200; i++)); do [[ -f "$work/state1.previous" ]] && break; sleep 0.05; done
kill -9 "${pids[1]}"
if wait_all 2>/dev/null; then fail "a job ended although a party was killed"; fi
grep -q 'party-1' "$work/err0" || fail "party 0 does not name who is missing: $(cat "$work/err0")"
[[ -f "$work/state0" && -f "$work/state1" && ! -f "$work/model.safetensors" ]] || fail "no checkpoint after a kill"
start_all "$work/long.yaml"
sleep 0.3
kill -STOP "${pids[2]}"  # a slow party: the others wait for it
sleep 2
kill -CONT "${pids[2]}"
wait_all || fail "the job did not go on: $(cat "$work"/err?)"
[[ -f "$work/model.safetensors" ]] || fail "no model after the resumption"

# A full disk (here: files may not grow beyond 4 KiB) ends the job of all with the reason, and nothing broken is left.
rm -f "$work"/model.safetensors "$work"/state?{,.previous}
pids=()
for i in 0 2; do start "$i" "$work/job.yaml" & pids+=($!); done
(trap '' XFSZ; ulimit -f 4; start 1 "$work/job.yaml") & pids+=($!)
if wait_all 2>/dev/null; then fail "a job ended although a checkpoint could not be written"; fi
grep -q "$work/state1" "$work/err1" || fail "the full disk is not named: $(cat "$work/err1")"
[[ ! -e "$work/state1" && ! -e "$work/model.safetensors" ]] || fail "something is left of a full disk"

# Another job at one party, and another identity than the pinned one.
sed -i '/^checkpoint/d' "$work"/party?.yaml
job 3 semi-honest >"$work/other.yaml"
pids=()
for i in 0 1; do start "$i" "$work/job.yaml" & pids+=($!); done
start 2 "$work/other.yaml" & pids+=($!)
if wait_all 2>/dev/null; then fail "parties with different jobs have computed together"; fi
grep -q 'has another job' "$work/err0" || fail "another job: $(cat "$work/err0")"
expect 3 "the job has the digest" "$ward" mpc node "$work/job.yaml" --party "$work/party1.yaml" --digest 00

# Another key under the right name.
"$ward" key party party-2 --dir "$work/impostor" >"$work/pin"
sed "s|^keys: .*|keys: $work/impostor|" "$work/party2.yaml" >"$work/impostor.yaml"
cp "$work/party2.yaml" "$work/honest.yaml" && cp "$work/impostor.yaml" "$work/party2.yaml"
start_all "$work/job.yaml"
if wait_all 2>/dev/null; then fail "a party with another key was let in"; fi
cp "$work/honest.yaml" "$work/party2.yaml"

# Security against deviations, end to end.
job 1 malicious >"$work/malicious.yaml"
start_all "$work/malicious.yaml"
wait_all || fail "malicious security: $(cat "$work"/err?)"
"$ward" mpc forecast "$work/malicious.yaml" --rtt-ms 20 --mbit 100 | grep -q '^steps  14' || fail "forecast"
echo ok
