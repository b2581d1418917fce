# Three parties on this machine, for tests in bash: . lib.sh first, with $ward; then `make_parties 3`.

# make_parties COUNT: free ports in ${ports[@]}, and keys and pins of party-0, 1, 2 in $work/keysI and $pinI.
make_parties() {
    ports=($(python3 -c 'import socket, sys
held = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in held: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])' "$1"))
    for i in 0 1 2; do read -r _ "pin$i" < <("$ward" key party "party-$i" --dir "$work/keys$i"); done
}

# party_links INDEX [PORT-OF-NEXT]: the keys that every party file has.
party_links() {
    local next=$((($1 + 1) % 3)) previous=$((($1 + 2) % 3))
    local next_pin="pin$next" previous_pin="pin$previous"
    cat <<YAML
ward_mpc_party: 1
index: $1
identity: party-$1
keys: $work/keys$1
listen: 127.0.0.1:${ports[$1]}
next: {name: party-$next, address: "127.0.0.1:${2:-${ports[$next]}}", pin: ${!next_pin}}
previous: {name: party-$previous, pin: ${!previous_pin}}
YAML
}

# party_checkpoints INDEX: the keys of one that saves its state.
party_checkpoints() {
    printf 'checkpoint: %s\ncheckpoint_key: %s\ncheckpoint_steps: 5\n' "$work/state$1" "$work/state$1.key"
}

# cancer_job EPOCHS LINES...: party 0 brings the built-in set.
cancer_job() {
    printf 'ward_mpc_job: 1\nexamples: 454\ninputs: 30\nclasses: 2\nhidden: [8]\nbatch_size: 32\nlearning_rate: 0.05\nepochs: %s\n' "$1"
    shift
    printf '%s\n' "$@"
}

# start_node INDEX JOB: becomes this party; party 0 gets the model. For `... & pids+=($!)`.
start_node() {
    local out=(); if [[ $1 == 0 ]]; then out=(--out "$work/model.safetensors"); fi
    exec "$ward" mpc node "$2" --party "$work/party$1.yaml" "${out[@]}" --json >"$work/out$1" 2>"$work/err$1"
}
start_all() {  # job
    pids=()
    for i in 0 1 2; do start_node "$i" "$1" & pids+=($!); done
}
wait_all() { local status=0; for pid in "${pids[@]}"; do wait "$pid" || status=1; done; return $status; }

# Until party 1 has saved its state twice.
wait_for_checkpoint() { for ((i = 0; i < 400; i++)); do [[ -f "$work/state1.previous" ]] && return; sleep 0.05; done; }
