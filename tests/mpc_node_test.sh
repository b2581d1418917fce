#!/usr/bin/env bash
# Three `ward mpc node` processes over TLS on this machine: a job to its end, a party killed with SIGKILL and all three
# started again, a slow party, a full disk, another job, another identity: mpc_node_test.sh WARD
set -euo pipefail
ward=$1
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpc_lib.sh"
make_parties 3
for i in 0 1 2; do
    { party_links "$i"; party_checkpoints "$i"; echo 'connect_seconds: 4'; } >"$work/party$i.yaml"
done
echo 'data: breast-cancer' >>"$work/party0.yaml"

# To the end, and what it printed.
cancer_job 20 "security: semi-honest" >"$work/job.yaml"
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
cancer_job 200 "security: semi-honest" >"$work/long.yaml"
start_all "$work/long.yaml"
wait_for_checkpoint
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
for i in 0 2; do start_node "$i" "$work/job.yaml" & pids+=($!); done
(trap '' XFSZ; ulimit -f 4; start_node 1 "$work/job.yaml") & pids+=($!)
if wait_all 2>/dev/null; then fail "a job ended although a checkpoint could not be written"; fi
grep -q "$work/state1" "$work/err1" || fail "the full disk is not named: $(cat "$work/err1")"
[[ ! -e "$work/state1" && ! -e "$work/model.safetensors" ]] || fail "something is left of a full disk"

# Another job at one party, and another identity than the pinned one.
sed -i '/^checkpoint/d' "$work"/party?.yaml
cancer_job 3 "security: semi-honest" >"$work/other.yaml"
pids=()
for i in 0 1; do start_node "$i" "$work/job.yaml" & pids+=($!); done
start_node 2 "$work/other.yaml" & pids+=($!)
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
cancer_job 1 "security: malicious" >"$work/malicious.yaml"
start_all "$work/malicious.yaml"
wait_all || fail "malicious security: $(cat "$work"/err?)"
"$ward" mpc forecast "$work/malicious.yaml" --rtt-ms 20 --mbit 100 | grep -q '^steps  14' || fail "forecast"
echo ok
