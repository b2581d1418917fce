#!/bin/sh
# Kills an evasion run with SIGKILL and goes on: the bits and all figures but the time must be those of a run that was not
# interrupted. One that is asked to stop says so and keeps what it has: attack_resume_test.sh WARD
set -eu
ward=$1
. "$(dirname "$0")/lib.sh"
cd "$work"

"$ward" train --data digits --no-privacy --model mlp --epochs 20 --out m.safetensors > /dev/null 2>&1
begin() {
  exec "$ward" attack evasion --attack autoattack --norm l2 --epsilon 0.5 --model m.safetensors --data digits --split all \
    --count 400 --batch 20 --threads 1 --seed 7 --progress off --json "$@"
}
figures() { sed 's/"cpu_seconds":[^,]*,//; s/"resumed_examples":[^,]*,//' "$1"; }
size() { if [ -f "$1" ]; then wc -c < "$1"; else echo 0; fi; }

(begin --bits whole.bits) > whole.json 2> whole.log || fail "$(cat whole.log)"

# Each time when a few more batches are there.
for kill in 1 2; do
  before=$(size run.state)
  begin --state run.state --bits run.bits > run.json 2> run.log &
  child=$!
  tries=0
  while [ "$(size run.state)" -lt $((before + 20000)) ] && [ $tries -lt 600 ]; do sleep 0.05; tries=$((tries + 1)); done
  kill -9 $child 2> /dev/null || fail "run $kill ended before it was killed: $(cat run.log)"
  wait $child 2> /dev/null || true
  [ ! -s run.json ] || fail "a killed run printed"
done
(begin --state run.state --bits run.bits) > run.json 2> run.log || fail "no resume: $(cat run.log)"
cmp whole.bits run.bits || fail "the bits of a resumed run differ"
[ "$(figures whole.json)" = "$(figures run.json)" ] || fail "a resumed run differs: $(cat run.json whole.json)"
grep -q '"resumed_examples":0,' run.json && fail "nothing was resumed: $(cat run.json)"

# Asked to stop: partial, code 1, and the rest later.
begin --state stop.state > stop.json 2> stop.log &
child=$!
tries=0
while [ "$(size stop.state)" -lt 10000 ] && [ $tries -lt 600 ]; do sleep 0.05; tries=$((tries + 1)); done
kill -TERM $child
got=0
wait $child || got=$?
[ $got -eq 1 ] || fail "a run that was stopped ends with $got: $(cat stop.log)"
grep -q '"partial":true' stop.json || fail "not marked partial: $(cat stop.json)"
grep -q 'examples were attacked: stopped' stop.log || fail "$(cat stop.log)"
(begin --state stop.state) > stop.json 2> stop.log || fail "no resume after a stop: $(cat stop.log)"
[ "$(figures whole.json)" = "$(figures stop.json)" ] || fail "after a stop: $(cat stop.json whole.json)"

expect 3 "is the state of another run" "$ward" attack evasion --attack pgd --epsilon 0.1 --model m.safetensors --data digits \
  --state run.state
cp m.safetensors m.safetensors.copy
expect 1 "is not the state of an evasion run" "$ward" attack evasion --attack pgd --epsilon 0.1 --model m.safetensors \
  --data digits --state m.safetensors.copy
echo "passed: two kills, same bits; a stop is partial"
