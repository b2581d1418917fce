#!/bin/sh
# Attacks that bring back pictures: the pages are there, hold what they should and open in a browser; values that make no
# sense are refused.
#
# usage: attack_pictures_test.sh WARD_PROGRAM
set -eu
ward=$1
. "$(dirname "$0")/lib.sh"
cd "$work"

"$ward" train --data digits --no-privacy --model cnn --epochs 3 --out m.safetensors > /dev/null 2>&1
"$ward" attack inversion --model m.safetensors --twin m.safetensors --data digits --classes 0,3 --steps 50 \
  --report inversion.html --json > inversion.json 2> log || fail "inversion: $(cat log)"
grep -q '"classes":2' inversion.json || fail "not two classes: $(cat inversion.json)"
[ "$(grep -o '<img ' inversion.html | wc -l)" -eq 8 ] || fail "two rows of four pictures are expected"
"$ward" attack gradient-inversion --model m.safetensors --data digits --steps 20 --count 2 --report leak.html --json \
  > leak.json 2> log || fail "gradient inversion: $(cat log)"
[ "$(grep -o '<img ' leak.html | wc -l)" -eq 4 ] || fail "two rows of two pictures are expected"
"$ward" attack gradient-inversion --model m.safetensors --data digits --steps 20 --batch 3 --report batch.html --json \
  > batch.json 2> log || fail "gradient inversion of a batch: $(cat log)"
[ "$(grep -o '"batch":0' batch.json | wc -l)" -eq 3 ] || fail "three examples of one batch are expected: $(cat batch.json)"
[ "$(grep -o '<img ' batch.html | wc -l)" -eq 6 ] || fail "three rows of two pictures are expected"
"$ward" attack poison --attack feature-collision --pretrained m.safetensors --data digits --epochs 1 --steps 30 --rate 0.02 \
  --target-class 3 --source-class 8 --trainings 2 --json > poison.json 2> log || fail "feature collision: $(cat log)"
grep -q '"accuracy_per_training":\[[0-9.]*,[0-9.]*\]' poison.json || fail "not two trainings: $(cat poison.json)"
"$ward" attack patch --model m.safetensors --data digits --steps 30 --sizes 0.3,0.5 --target-class 3 --out patch.png \
  --report patch.html --json > patch.json 2> log || fail "patch: $(cat log)"
grep -q '"size":0.5,"examples":' patch.json || fail "no success by size: $(cat patch.json)"
[ "$(grep -o '<img ' patch.html | wc -l)" -eq 4 ] || fail "two rows of two pictures are expected"
[ "$(head -c 4 patch.png | tail -c 3)" = PNG ] || fail "the patch is no PNG file"
"$ward" attack extraction --model m.safetensors --data digits --queries 100 --copy logistic --count 50 \
  --report curve.html --out copy.safetensors --json > curve.json 2> log || fail "extraction: $(cat log)"
"$ward" evaluate copy.safetensors --data digits > /dev/null 2> log || fail "the copy is no model: $(cat log)"

"$ward" attack evasion --attack pgd --epsilon 0.1 --model m.safetensors --transfer-to m.safetensors --data digits --count 50 --json \
  > transfer.json 2> log || fail "transfer: $(cat log)"
grep -q '"transfer":\[{"model":"m.safetensors","clean_accuracy":' transfer.json || fail "no transfer: $(cat transfer.json)"
[ "$(grep -o '"robust_accuracy":[0-9.]*' transfer.json | sort -u | wc -l)" -eq 1 ] ||
  fail "another result on the same model: $(cat transfer.json)"
"$ward" attack exposure --model m.safetensors --data digits --repeats 0,2 --canaries 2 --candidates 99 --json > exposure.json \
  2> log || fail "exposure: $(cat log)"
grep -q '"repeats":2,"exposure_mean":' exposure.json || fail "no exposure: $(cat exposure.json)"
expect 2 "at least 99 candidates" "$ward" attack exposure --model m.safetensors --data digits --candidates 5
expect 2 "classes must be between 0 and 9, got 10" "$ward" attack inversion --model m.safetensors --data digits --classes 10
expect 2 "target-class must be between 0 and 9, got 10" "$ward" attack patch --model m.safetensors --data digits --target-class 10
expect 2 "at most 1, got 2" "$ward" attack patch --model m.safetensors --data digits --sizes 2
expect 2 "--noise-multiplier must be finite and >= 0" "$ward" attack gradient-inversion --data digits --noise-multiplier -1
expect 2 "changes none of the examples" "$ward" attack poison --data digits --rate 1e-9
expect 2 "to the same class changes nothing" "$ward" attack poison --data digits --attack label-flip --source-class 1 --target-class 1
expect 2 "source and target must be two of the classes" "$ward" attack poison --data digits --attack sleeper --source-class 0
expect 2 "badnets does not take --trainings" "$ward" attack poison --data digits --trainings 3
expect 2 "--batch must be 1 to 10, got 11" "$ward" attack gradient-inversion --data digits --batch 11
expect 2 "--budget" "$ward" audit m.safetensors --data digits --budget -1
expect 2 "is not a number >= 0" "$ward" attack extraction --model m.safetensors --data digits --price -1
expect 1 "exact extraction takes flatten, linear and relu" "$ward" attack extraction --attack exact --model m.safetensors
expect 1 "the model expects" "$ward" attack evasion --model m.safetensors --data breast-cancer --epsilon 0.1
expect 1 "the model expects" "$ward" attack membership --model m.safetensors --data breast-cancer
expect 2 "--out" "$ward" attack extraction --model m.safetensors --data digits --out m.safetensors

browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ]; then echo "passed, without a browser"; exit 0; fi
for page in inversion leak patch; do
  timeout 120 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" --enable-logging=stderr \
    --screenshot="$work/$page.png" "file://$work/$page.html" > /dev/null 2> browser.log || fail "the browser ended with an error"
  if grep "CONSOLE" browser.log; then fail "$page.html wrote to the console"; fi
done
echo "passed: pages opened"
