#!/bin/sh
# Attacks on a model behind HTTP as a user makes them: a run that is killed goes on and pays nothing twice; services that
# refuse or die end in one line, and what was paid for is kept.
#
# usage: attack_remote_test.sh WARD_PROGRAM
set -eu
ward=$1
. "$(dirname "$0")/lib.sh"
cd "$work"
servers=
trap 'for s in $servers; do kill "$s" 2> /dev/null || true; done; rm -rf "$work"' EXIT

"$ward" train --data digits --no-privacy --model logistic --epochs 20 --out m.safetensors > /dev/null 2>&1

# serve NAME FLAG...: starts a service; its address is in $url, its process in $server.
serve() {
  name=$1
  shift
  rm -f "$name.address"
  "$ward" attack serve-target --model m.safetensors --data digits "$@" > "$name.address" 2> "$name.log" &
  server=$!
  servers="$servers $server"
  tries=0
  while [ ! -s "$name.address" ] && [ $tries -lt 300 ]; do sleep 0.1; tries=$((tries + 1)); done
  if grep -q 'this build of Ward has no HTTP' "$name.log"; then skip "this build has no HTTP"; fi
  [ -s "$name.address" ] || fail "no service: $(cat "$name.log")"
  url=$(cat "$name.address")
}
# begin_steal becomes the program, so that in the background $! is the attack itself and not a shell around it.
steal() { (begin_steal "$@"); }
begin_steal() {
  exec "$ward" attack extraction --url "$url" --remote-model model --data digits --copy logistic --count 50 \
    --queries 600 --curve 600 --request-size 10 "$@"
}

echo s3cret > token
serve first --token-file token --log served.log
expect 3 "the service refuses us (401" steal --json
expect 2 "--url needs --remote-model" "$ward" attack extraction --url "$url" --data digits
expect 2 "gives no gradients" "$ward" attack evasion --url "$url" --remote-model model --data digits --epsilon 0.1 --access white-box
[ ! -s served.log ] || fail "refused queries were answered"

# Killed twice in the middle, then to the end: every query is answered once, however often the run was killed.
for kill in 1 2; do
  begin_steal --token-file token --rate 300 --ledger paid.ledger --json > killed.json 2> killed.log &
  child=$!
  before=$(wc -l < served.log) tries=0
  while [ "$(wc -l < served.log)" -lt $((before + 120)) ] && [ $tries -lt 300 ]; do
    sleep 0.05; tries=$((tries + 1))
  done
  kill -9 $child 2> /dev/null || fail "run $kill ended before it was killed: $(cat killed.log)"
  wait $child 2> /dev/null || true
done
served_before=$(wc -l < served.log)
[ "$served_before" -ge 200 ] || fail "nothing was asked before the kill"
steal --token-file token --ledger paid.ledger --json > done.json 2> done.log || fail "no resume: $(cat done.log)"
[ -z "$(sort served.log | uniq -d)" ] || fail "$(sort served.log | uniq -d | wc -l) queries were paid twice"
grep -q '"queries":600' done.json || fail "not all queries were made: $(cat done.json)"
grep -q '"maybe_paid_twice":0' done.json || fail "maybe paid twice: $(cat done.json)"
served=$(wc -l < served.log)

# Replayed: the same result without the service.
kill $server
wait $server 2> /dev/null || true
steal --token-file token --ledger paid.ledger --retries 0 --json > replay.json 2> replay.log || fail "no replay: $(cat replay.log)"
strip() { sed 's/"query_seconds":[^,]*,//; s/"seconds":[^},]*//g; s/"service":.*//' "$1"; }
[ "$(strip done.json)" = "$(strip replay.json)" ] || fail "a replay differs: $(cat done.json replay.json)"
[ "$(wc -l < served.log)" -eq "$served" ] || fail "a replay asked"

# A torn tail is cut; another model's ledger is refused.
printf 'deadbeef {"query": "' >> paid.ledger
steal --token-file token --ledger paid.ledger --retries 0 --json > torn.json 2> torn.log || fail "torn tail: $(cat torn.log)"
grep -q 'torn off' torn.log || fail "a torn tail was not told of"

# Membership of the model behind the service is that of its file, up to the rounding of probabilities; killed and resumed,
# nothing is paid twice.
serve members --log members.log
member() {
  exec "$ward" attack membership --url "$url" --remote-model model --data digits --count 60 --like logistic --epochs 5 \
    --shadows 2 --request-size 10 --ledger members.ledger "$@"
}
member --rate 200 > killed.json 2> killed.log &
child=$!
tries=0
while [ "$(wc -l < members.log)" -lt 120 ] && [ $tries -lt 300 ]; do
  sleep 0.05; tries=$((tries + 1))
done
kill -9 $child 2> /dev/null || fail "membership ended before it was killed: $(cat killed.log)"
wait $child 2> /dev/null || true
(member --json) > members.json 2> members.err || fail "no resume: $(cat members.err)"
[ -z "$(sort members.log | uniq -d)" ] || fail "membership paid twice"
"$ward" attack membership --model m.safetensors --data digits --count 60 --like logistic --epochs 5 --shadows 2 --json \
  > file.json 2> /dev/null
aucs() { grep -o '"attack":"[a-z-]*","auc":[0-9.]*' "$1" | sed 's/\(\.[0-9][0-9][0-9]\)[0-9]*/\1/'; }
[ "$(aucs members.json | wc -l)" -eq 8 ] || fail "not 8 attacks: $(cat members.json)"
[ "$(aucs members.json)" = "$(aucs file.json)" ] || fail "a service is another target: $(aucs members.json) $(aucs file.json)"
grep -q '"answer":"probabilities"' members.json || fail "probabilities were taken for logits"
expect 2 "references must be like the target" "$ward" attack membership --url "$url" --remote-model model --data digits --shadows 2
kill $server
got=0
"$ward" attack membership --url "$url" --remote-model model --data digits --count 90 --like logistic --epochs 5 --shadows 2 \
  --ledger members.ledger --retries 0 --json > dead.json 2> dead.log || got=$?
[ $got -eq 1 ] || fail "membership on a dead service ends with $got: $(cat dead.log)"
grep -q '"members":50,"others":50,.*"partial":true' dead.json || fail "what was paid for is lost: $(cat dead.json)"

# The largest scores only: told of, and references tell no more.
serve largest --answer top-k --top-k 3
"$ward" attack membership --url "$url" --remote-model model --data digits --count 60 --like logistic --epochs 5 \
  --shadows 2 --json > largest.json 2> largest.err || fail "membership by the largest: $(cat largest.err)"
grep -q '"answer":"probabilities","answer_step":1e-06,.*"answer_largest":3,' largest.json ||
  fail "the largest were taken for all: $(cat largest.json)"
grep -q 'tells the 3 largest of 10 scores' largest.json || fail "no flag for the largest: $(cat largest.json)"
kill $server

serve second --answer labels
"$ward" attack membership --url "$url" --remote-model model --data digits --count 20 --json > member_labels.json 2> /dev/null ||
  fail "membership by labels"
grep -q '"answer":"labels"' member_labels.json || fail "labels were taken for scores: $(cat member_labels.json)"
grep -q '"attack":"label-augment"' member_labels.json || fail "no shifts of images: $(cat member_labels.json)"
expect 2 "references are compared by scores" "$ward" attack membership --url "$url" --remote-model model --data digits \
  --like logistic --shadows 2
expect 3 "lira-online needs scores" "$ward" attack membership --url "$url" --remote-model model --data digits --attacks lira-online
expect 3 "is the ledger of another target" steal --ledger paid.ledger
steal --json > labels.json 2> /dev/null
grep -q '"answer":"labels"' labels.json || fail "labels were taken for scores: $(cat labels.json)"
"$ward" attack evasion --url "$url" --remote-model model --data digits --attack hopskipjump --norm l2 --steps 3 \
  --epsilon 2 --count 5 --json > hsj.json 2> /dev/null || fail "hopskipjump over HTTP"
expect 3 "needs more of the target than it gives" "$ward" attack evasion --url "$url" --remote-model model --data digits \
  --attack square --epsilon 0.1 --count 5

# A service that dies: partial results, code 1.
: > dies.ledger
begin_steal --rate 200 --retries 1 --ledger dies.ledger --json > partial.json 2> partial.log &
child=$!
tries=0
while [ "$(wc -l < dies.ledger)" -lt 250 ] && [ $tries -lt 300 ]; do
  sleep 0.05; tries=$((tries + 1))
done
kill $server
got=0
wait $child || got=$?
[ "$got" -eq 1 ] || fail "a service that dies ends with $got"
[ "$(grep -c '^ward: error: stopped after' partial.log)" -eq 1 ] || fail "not one line: $(cat partial.log)"
grep -q '"partial":true' partial.json || fail "not marked partial: $(cat partial.json)"
expect 1 "no connection" "$ward" attack evasion --url http://127.0.0.1:1 --remote-model m --data digits --epsilon 0.1

# TLS on both sides, by another implementation: our authority, a client certificate, and refusals without them.
tls="without python3 and openssl no TLS"
if command -v python3 > /dev/null && command -v openssl > /dev/null; then
  req() { openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -addext "$3" -keyout "$2.key" -out "$2.crt" 2> /dev/null; }
  req 127.0.0.1 server "subjectAltName=IP:127.0.0.1"
  req client client "basicConstraints=CA:TRUE"
  cat > tls.py <<'PY'
import http.server, json, ssl
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def reply(self, body):
        body = json.dumps(body).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def do_GET(self): self.reply({"inputs": [], "outputs": []})
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"][0]["shape"][0]
        self.reply({"outputs": [{"name": "o", "datatype": "FP32", "shape": [asked, 10], "data": [0.1] * (10 * asked)}]})
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("server.crt", "server.key")
context.load_verify_locations("client.crt"); context.verify_mode = ssl.CERT_REQUIRED
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
PY
  python3 tls.py > tls.port 2> /dev/null &
  servers="$servers $!"
  tries=0
  while [ ! -s tls.port ] && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
  url=https://127.0.0.1:$(cat tls.port)
  evade() { "$ward" attack evasion --url "$url" --remote-model m --data digits --attack square --steps 3 --epsilon 0.1 \
    --count 5 --retries 0 --timeout 5 "$@"; }
  evade --ca server.crt --client-cert client.crt --client-key client.key --json > tls.json 2> tls.log || fail "mTLS: $(cat tls.log)"
  grep -q '"examples":5' tls.json || fail "mTLS gave $(cat tls.json)"
  expect 1 "its certificate is not trusted" evade --client-cert client.crt --client-key client.key
  expect 1 "no answer from" evade --ca server.crt
  expect 2 "both a client certificate and its key" evade --client-cert client.crt
  tls="mTLS against python"
fi
echo "passed: $served queries, none twice; $tls"
