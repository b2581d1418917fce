#!/usr/bin/env bash
# A network that stands still between three `ward mpc node` processes: shorter than the silence that is allowed, the job
# ends as if nothing had been; longer, every party stops and names its peer, and the job goes on from its checkpoints:
# mpc_network_cut_test.sh WARD [SECONDS]     SECONDS of the short cut, 2 by default; 30 is the case of the issue
set -euo pipefail
ward=$1
cut=${2:-${WARD_MPC_CUT_SECONDS:-2}}
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpc_lib.sh"

# Forwards connections to party 1; SIGUSR1 stops all bytes for so many seconds as the file says.
cat >"$work/proxy.py" <<'PY'
import select, signal, socket, sys, time
listen, target, control = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
until = 0.0
def stall(*_):
    global until
    until = time.monotonic() + float(open(control).read())
signal.signal(signal.SIGUSR1, stall)
server = socket.create_server(("127.0.0.1", listen))
peers = {}
while True:
    try:
        if time.monotonic() < until:
            time.sleep(0.02)
            continue
        ready, _, _ = select.select([server, *peers], [], [], 0.05)
    except InterruptedError:
        continue
    for s in ready:
        if s is server:
            one = server.accept()[0]
            other = None
            for _ in range(500):  # party 1 may come later
                try:
                    other = socket.create_connection(("127.0.0.1", target))
                    break
                except OSError:
                    time.sleep(0.02)
            if other is None:
                one.close()
                continue
            for end in (one, other): end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peers[one], peers[other] = other, one
        elif s in peers:
            try:
                data = s.recv(1 << 16)
                if data: peers[s].sendall(data)
            except OSError:
                data = b""
            if not data:
                other = peers.pop(s)
                peers.pop(other, None)
                s.close(); other.close()
PY
make_parties 4
party() {  # index silence
    party_links "$1" "$([[ $1 == 0 ]] && echo "${ports[3]}")"  # party 0 reaches party 1 through the proxy
    party_checkpoints "$1"
    printf 'connect_seconds: 10\nsilence_seconds: %s\n' "$2"
    if [[ $1 == 0 ]]; then echo 'data: breast-cancer'; fi
}
cancer_job 150 >"$work/job.yaml"

python3 "$work/proxy.py" "${ports[3]}" "${ports[1]}" "$work/seconds" &
proxy=$!
trap 'kill $proxy 2>/dev/null || true; rm -rf "$work"' EXIT

# Shorter than the silence that is allowed.
for i in 0 1 2; do party "$i" $((cut + 20)) >"$work/party$i.yaml"; done
echo "$cut" >"$work/seconds"
start_all "$work/job.yaml"
wait_for_checkpoint
begin=$SECONDS
kill -USR1 "$proxy"
wait_all || fail "a cut of $cut s has ended the job: $(cat "$work"/err?)"
((SECONDS - begin >= cut - 1)) || fail "the job did not wait for the network"
[[ -f "$work/model.safetensors" ]] || fail "no model after a cut of $cut s"

# Longer: all stop, each names a peer; without the cut the job goes on where it was.
rm "$work/model.safetensors"
for i in 0 1 2; do party "$i" 1 >"$work/party$i.yaml"; done
echo 6 >"$work/seconds"
start_all "$work/job.yaml"
wait_for_checkpoint
kill -USR1 "$proxy"
if wait_all 2>/dev/null; then fail "the job ended although the network stood still"; fi
for i in 0 1 2; do grep -q 'party-' "$work/err$i" || fail "party $i names nobody: $(cat "$work/err$i")"; done
grep -q 'in step' "$work/err0" || fail "the step is not named: $(cat "$work/err0")"
[[ -f "$work/state0" && ! -f "$work/model.safetensors" ]] || fail "no checkpoint after a cut"
for i in 0 1 2; do party "$i" 30 >"$work/party$i.yaml"; done
start_all "$work/job.yaml"
wait_all || fail "the job did not go on: $(cat "$work"/err?)"
[[ -f "$work/model.safetensors" ]] || fail "no model after the resumption"
echo ok
