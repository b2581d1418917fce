#!/bin/sh
# An audit as a user makes it: gates and exit codes, a run that is killed and goes on, the page in a browser.
#
# usage: audit_test.sh WARD_PROGRAM
set -eu
ward=$1
. "$(dirname "$0")/lib.sh"
cd "$work"
export WARD_PROGRESS=off
data="--data digits --test-fraction 0.5"

"$ward" train $data --epsilon 8 --model logistic --epochs 10 --out m.safetensors > /dev/null 2>&1
cat > plan.yaml <<'PLAN'
ward_audit: 1
experiments:
  - {kind: evasion, attack: pgd, norm: linf, epsilon: [0.01, 0.1], steps: 5, count: 50}
  - {kind: membership, shadows: 2, count: 300, fpr: [0.05]}
  - {kind: privacy, canaries: 300}
  - {kind: extraction, queries: 200, count: 200}
  - {kind: inversion, steps: 20}
PLAN
printf 'ward_gate: 1\nmax_epsilon: 9\nmax_auc: 0.8\n' > pass.yaml
printf 'ward_gate: 1\nmax_epsilon: 2\n' > fail.yaml

# Killed after the first experiment: what is done is not done again.
"$ward" audit m.safetensors $data --plan plan.yaml --out a > /dev/null 2> first.log &
child=$!
tries=0
while [ ! -s a/audit.state.json ] && [ $tries -lt 600 ]; do sleep 0.1; tries=$((tries + 1)); done
kill -9 $child 2> /dev/null || true
wait $child 2> /dev/null || true
"$ward" audit m.safetensors $data --plan plan.yaml --gate pass.yaml --out a --json > audit.json 2> second.log ||
  fail "gates that hold end with an error: $(cat second.log)"
grep -q 'experiment 1 of 5' first.log || fail "the first run did not begin"
if grep -q 'experiment 1 of 5' second.log; then fail "the first experiment was made twice"; fi
cmp -s audit.json a/audit.json || fail "--json prints something else than audit.json"
grep -q '"verdict": "amber"' audit.json || fail "few references are a warning, so amber"
[ "$(grep -c '"status": "done"' audit.json)" -eq 5 ] || fail "not all experiments are done"

# A gate that does not hold: code 3, and the report is there all the same.
got=0
"$ward" audit m.safetensors $data --plan plan.yaml --gate fail.yaml --out a > out 2> err || got=$?
[ "$got" -eq 3 ] || fail "a failing gate ends with $got"
grep -q '^verdict *red' out || fail "not red: $(cat out)"
grep -q '"outcome": "fails"' a/audit.json || fail "the gate is not in audit.json"
expect 3 "another model, other data or another plan" "$ward" audit m.safetensors $data --out a
expect 1 "unknown key 'max_magic'" sh -c "echo 'max_magic: 1' > bad.yaml; '$ward' audit m.safetensors $data --gate bad.yaml --out b"

expect 2 "there is no extraction attack magic" sh -c "printf 'ward_audit: 1\nexperiments: [{kind: extraction, attack: magic}]\n' > typo.yaml; '$ward' audit m.safetensors $data --plan typo.yaml --out b"
[ "$(grep -o '<img ' a/audit.html | wc -l)" -eq 20 ] || fail "ten classes, two pictures each, are expected"

browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
charts=$(grep -o '<canvas' a/audit.html | wc -l)
if [ -z "$browser" ] || [ "$charts" -eq 0 ]; then echo "passed, without a browser"; exit 0; fi
timeout 120 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" \
  --enable-logging=stderr --virtual-time-budget=10000 --window-size=1200,2400 --dump-dom "file://$work/a/audit.html" \
  > dom.html 2> browser.log || fail "the browser ended with an error"
if grep "CONSOLE" browser.log; then fail "the page wrote to the console"; fi
grep -q "data-charts-ready=\"$charts\"" dom.html || fail "not all $charts charts were drawn"
grep -q 'highlight bad' dom.html || fail "a failed gate is not shown in red"

# No part of the page may be wider than a window (tables scroll in their own boxes only where they must: on a phone).
for width in 360 800 1280; do
  cat > frame.html <<PAGE
<iframe id="f" src="a/audit.html" width="$width" height="800"></iframe>
<script>
onload = () => {
  const page = document.getElementById("f").contentDocument;
  const wide = (e) => e.scrollWidth > e.clientWidth;
  const tables = $width < 800 ? [] : [...page.querySelectorAll(".table .scroll")].filter(wide);
  document.title = wide(page.documentElement) ? "overflows" : tables.length > 0 ? "cut tables" : "fits";
};
</script>
PAGE
  timeout 120 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" --window-size=1400,1000 \
    --allow-file-access-from-files --virtual-time-budget=10000 --dump-dom "file://$work/frame.html" > dom.html 2> /dev/null ||
    fail "the browser ended with an error"
  grep -q "<title>fits</title>" dom.html || fail "at $width pixels: $(grep -o '<title>[^<]*' dom.html || echo 'no measurement')"
done
echo "passed: $charts charts"
