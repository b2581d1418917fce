#!/bin/sh
# Opens a report in a real browser, on a desktop and on a phone, and checks that it works there.
#
# usage: report_browser_test.sh WARD_PROGRAM SOURCE_FOLDER     exit code 77 = skipped (no Chromium)
set -eu
ward=$1
source=$2
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
. "$(dirname "$0")/lib.sh"
[ -n "$browser" ] || skip "no Chromium"
samples=$source/tests/data/report

# The page after its scripts have run, in $work/dom.html; what the browser had to say in $work/log.
open_page() {
  timeout 120 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" \
    --enable-logging=stderr --virtual-time-budget=10000 --window-size="$2" --dump-dom "file://$1" \
    > "$work/dom.html" 2> "$work/log" || fail "the browser ended with an error"
  if grep "CONSOLE" "$work/log"; then fail "the page wrote to the console"; fi
}

"$ward" report "$samples"/*.record.json --out "$work/report.html" --json "$work/report.json" > /dev/null
grep -q '"format": "ward-report-1"' "$work/report.json" || fail "report.json is not a report"

charts=$(grep -o '<canvas' "$work/report.html" | wc -l)
if [ "$charts" -eq 0 ]; then skip "built without Chart.js"; fi
for size in 1200,2400 500,3000; do
  open_page "$work/report.html" "$size"
  grep -q "data-charts-ready=\"$charts\"" "$work/dom.html" || fail "not all $charts charts were drawn at $size"
done

# Nothing may be wider than a phone's screen (tables scroll in their own boxes). The frame has the phone's
# width; the page's own security policy allows no script from here, so the frame is measured from outside.
cat > "$work/phone.html" <<'PAGE'
<iframe id="f" src="report.html" width="360" height="800"></iframe>
<script>
onload = () => {
  const page = document.getElementById("f").contentDocument.documentElement;
  const fits = page.scrollWidth <= page.clientWidth;
  document.title = (fits ? "fits" : "overflows by " + (page.scrollWidth - page.clientWidth) + " pixels") +
    ", charts " + page.dataset.chartsReady;
};
</script>
PAGE
timeout 120 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" \
  --allow-file-access-from-files --virtual-time-budget=10000 --dump-dom "file://$work/phone.html" \
  > "$work/dom.html" 2> /dev/null || fail "the browser ended with an error"
grep -q "<title>fits, charts $charts</title>" "$work/dom.html" ||
  fail "on a phone: $(grep -o '<title>[^<]*' "$work/dom.html" || echo 'no measurement')"

# A hostile record: its texts must stay text.
sed 's|"malignant"|"</script><img src=x onerror=console.error(1)>"|g' "$samples/cancer.record.json" \
  > "$work/evil.record.json"
"$ward" report "$work/evil.record.json" --out "$work/evil.html" > /dev/null
open_page "$work/evil.html" 1200,2400
if grep -q '<img' "$work/dom.html"; then fail "a class name became markup"; fi
grep -q 'data-charts-ready' "$work/dom.html" || fail "the hostile record broke the charts"
echo "passed: $charts charts"
