#!/usr/bin/env bash
# kill -9 of random parties at random moments; the job, started again each time, ends with the model of a run that nobody
# killed, bit for bit: mpc_kill_test.sh WARD [KILLS]     3 kills by default
set -euo pipefail
ward=$1
kills=${2:-3}
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpc_lib.sh"
make_parties 3
for i in 0 1 2; do
    { party_links "$i"; party_checkpoints "$i"; echo 'connect_seconds: 10'; } >"$work/party$i.yaml"
done
echo 'data: breast-cancer' >>"$work/party0.yaml"
cancer_job $((100 + 40 * kills)) >"$work/job.yaml"

# The keys of a run are in its checkpoints, so both runs begin at the same first ones.
start_all "$work/job.yaml"
wait_for_checkpoint
kill -9 "${pids[0]}"
if wait_all 2>/dev/null; then fail "a job ended although a party was killed"; fi
mkdir "$work/first"
cp "$work"/state?{,.previous,.key} "$work/first/"
start_all "$work/job.yaml"
wait_all || fail "without kills: $(cat "$work"/err?)"
mv "$work/model.safetensors" "$work/whole.safetensors"

cp "$work"/first/* "$work/"
done=0
while ((done < kills)) && [[ ! -f "$work/model.safetensors" ]]; do
    start_all "$work/job.yaml"
    sleep "0.$((RANDOM % 90 + 10))"
    if kill -9 "${pids[$((RANDOM % 3))]}" 2>/dev/null; then done=$((done + 1)); fi
    wait_all 2>/dev/null || true
done
if [[ ! -f "$work/model.safetensors" ]]; then
    start_all "$work/job.yaml"
    wait_all || fail "after $done kills: $(cat "$work"/err?)"
fi
cmp "$work/whole.safetensors" "$work/model.safetensors" || fail "another model after $done kills"
echo "ok: $done kills"
