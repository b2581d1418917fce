#!/usr/bin/env bash
# `ward encrypt`, `sign` and their opposites against age, minisign and Python's cryptography, both ways, and what
# becomes of files when a program is killed or the disk is full. Exit code 77 (skipped) without these programs.
#
# usage: crypto_interop_test.sh WARD_PROGRAM [LARGEST_FILE_BYTES]     (default 1 GiB)
set -euo pipefail
ward=$(realpath "$1")
largest=${2:-1073741824}
for program in age age-keygen minisign python3 sha256sum; do
  command -v "$program" > /dev/null || { echo "skipped: $program is not installed"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "FAILED: $1" >&2; exit 1; }

# expect CODE TEXT COMMAND...: exit code, and the text somewhere in standard error.
expect() {
  local code=$1 text=$2 got=0
  shift 2
  "$@" > out 2> err || got=$?
  [ "$got" -eq "$code" ] || fail "$*: exit code $got, expected $code: $(head -1 err)"
  grep -qF -- "$text" err || fail "$*: $(head -1 err), expected: $text"
}

# ---- age, keys of both programs
"$ward" key new ward.txt > ward.pub
age-keygen -o age.txt 2> /dev/null
age-keygen -y ward.txt | cmp - ward.pub || fail "age-keygen reads another public key from ward's file"
"$ward" key show age.txt > age.pub
age-keygen -y age.txt | cmp - age.pub || fail "ward reads another public key from age's file"
[ "$(stat -c %a ward.txt)" = 600 ] || fail "the key file is not for its owner only"
expect 1 "File exists" "$ward" key new ward.txt
cat ward.pub age.pub > team.txt

sizes="0 1 65535 65536 65537 131072 1000000 67108864 $largest"
for size in $sizes; do
  head -c "$size" /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2> /dev/null > plain
  "$ward" encrypt -R team.txt plain ward.age
  age -d -i age.txt ward.age | cmp - plain || fail "age reads $size bytes of ward"
  "$ward" decrypt -i ward.txt ward.age back && cmp back plain || fail "ward reads $size bytes of ward"
  age -R team.txt -o age.age plain
  "$ward" decrypt -i ward.txt age.age back && cmp back plain || fail "ward reads $size bytes of age"
  rm -f ward.age age.age back
  [ "$size" -le 1000000 ] || continue
  "$ward" encrypt -a -r "$(cat age.pub)" - - < plain > armor.age
  age -d -i age.txt armor.age | cmp - plain || fail "age reads ward's armor of $size bytes"
  age -a -R team.txt plain | "$ward" decrypt -i ward.txt - - | cmp - plain || fail "ward reads age's armor of $size bytes"
done

# ---- rewrap
head -c 300000 /dev/urandom > plain
"$ward" encrypt -r "$(cat ward.pub)" plain one.age
"$ward" rewrap -i ward.txt -r "$(cat age.pub)" one.age two.age
age -d -i age.txt two.age | cmp - plain || fail "age reads the rewrapped file"
expect 1 "none of the identities given (1) opens this file" "$ward" decrypt -i ward.txt two.age back
[ ! -e back ] || fail "a failed decryption left a file"

# ---- passphrases (age itself asks a terminal only, so `script` gives it one)
echo "correct horse" > pass
"$ward" encrypt --new-passphrase-fd 3 plain pass.age 3< pass
"$ward" decrypt --passphrase-fd 3 pass.age back 3< pass && cmp back plain
echo "wrong" > other
expect 1 "the passphrase is not that of this file" "$ward" decrypt --passphrase-fd 3 pass.age back2 3< other
if command -v script > /dev/null; then
  rm -f back
  (sleep 2; cat pass; sleep 8) | script -qec "age -d -o back pass.age" /dev/null > /dev/null || true
  cmp back plain || fail "age opens ward's passphrase file"
  (sleep 1; cat pass; sleep 1; cat pass; sleep 8) | script -qec "age -p -o agepass.age plain" /dev/null > /dev/null || true
  "$ward" decrypt --passphrase-fd 3 agepass.age - 3< pass | cmp - plain || fail "ward opens age's passphrase file"
fi

# ---- damage
head -c 200000 one.age > cut.age
expect 1 "truncated" "$ward" decrypt -i ward.txt cut.age back2
[ ! -e back2 ] || fail "a truncated file left output"
expect 3 "has mode 0644" sh -c "chmod 644 ward.txt; '$ward' decrypt -i ward.txt one.age back2"
chmod 600 ward.txt

# ---- kill -9 while writing: the name keeps what it had
head -c 200000000 /dev/zero > big
echo old > target
for delay in 0.02 0.05 0.1; do
  "$ward" encrypt -r "$(cat ward.pub)" big target & victim=$!
  sleep "$delay"
  kill -9 "$victim" 2> /dev/null || true
  wait "$victim" 2> /dev/null || true
  if [ "$(head -c 3 target)" != old ]; then
    "$ward" decrypt -i ward.txt target - | cmp - big || fail "half a file under the final name"
    echo old > target
  fi
  rm -f target.partial-*
done

# ---- a full disk (a file size limit gives the same failed write)
expect 1 "cannot write" bash -c "trap '' XFSZ; ulimit -f 1000; '$ward' encrypt -r $(cat ward.pub) big full.age"
[ -z "$(ls full.age* 2> /dev/null)" ] || fail "a failed write left a file"

# A file system that is really full, where one can be mounted in a name space of its own.
if unshare -rm true 2> /dev/null; then
  mkdir full
  expect 1 "No space left on device" unshare -rm bash -c "
    mount -t tmpfs -o size=20m tmpfs full
    echo old > full/target
    code=0
    '$ward' encrypt -r $(cat ward.pub) big full/target || code=\$?
    [ \"\$(ls full)\" = target ] && [ \"\$(cat full/target)\" = old ] || exit 9
    exit \$code"
fi
rm -f big target

# ---- a model, tensor by tensor
python3 - << 'PY'
import json, os, struct
header = json.dumps({"__metadata__": {"a": "b"},
                     "w": {"dtype": "F32", "shape": [50000], "data_offsets": [0, 200000]},
                     "b": {"dtype": "F32", "shape": [2], "data_offsets": [200000, 200008]}}).encode()
open("m.safetensors", "wb").write(struct.pack("<Q", len(header)) + header + os.urandom(200008))
PY
"$ward" encrypt --per-tensor -R team.txt m.safetensors m.sealed
"$ward" decrypt -i age.txt m.sealed back3 && cmp back3 m.safetensors || fail "the model does not come back"
"$ward" rewrap -i ward.txt -r "$(cat age.pub)" m.sealed m2.sealed
"$ward" decrypt -i age.txt m2.sealed - | cmp - m.safetensors || fail "the rewrapped model does not come back"
expect 1 "none of the identities" "$ward" decrypt -i ward.txt m2.sealed back4
printf x | dd of=m.sealed bs=1 seek=70000 conv=notrunc status=none
expect 1 'range "w": chunk 1 does not authenticate' "$ward" decrypt -i age.txt m.sealed back4
[ ! -e back4 ] || fail "a damaged model left a file"

# ---- encrypted models in place of plain ones: the answer is the same, no file is written
"$ward" encrypt -R team.txt m.safetensors m.age
"$ward" encrypt --per-tensor -R team.txt m.safetensors m3.sealed
"$ward" inspect m.safetensors --json | grep -v '"file"' > plain.json
for encrypted in m.age m3.sealed; do
  ls > before
  "$ward" inspect -i age.txt "$encrypted" --json | grep -v '"file"' | cmp - plain.json || fail "inspect of $encrypted"
  ls | cmp - before || fail "inspect of $encrypted left a file"
  "$ward" key new other.txt > /dev/null
  expect 1 "none of the identities" "$ward" inspect -i other.txt "$encrypted"
  rm other.txt
done
truncate -s -1 m.age
expect 1 "m.age: age payload: chunk 3 does not authenticate" "$ward" inspect -i age.txt m.age

# ---- network identities: what openssl makes of them
export WARD_KEY_DIR="$work/keys"
"$ward" key ca lab > /dev/null
"$ward" key party server --host localhost > server.pin
"$ward" key party client --p256 > client.pin
expect 3 'also asks for the host "localhost"' "$ward" key issue keys/server.crt --ca lab --name server -o server.crt
"$ward" key issue keys/server.crt --ca lab --name server --host localhost -o server.crt > /dev/null
"$ward" key issue keys/client.crt --ca lab --name client -o client.crt > /dev/null
"$ward" key install server.crt > /dev/null
openssl verify -x509_strict -CAfile keys/lab.crt -purpose sslserver -verify_hostname localhost server.crt > /dev/null ||
  fail "openssl accepts the server's certificate"
openssl verify -x509_strict -CAfile keys/lab.crt -purpose sslclient -verify_hostname client client.crt > /dev/null ||
  fail "openssl accepts the client's certificate"
pin="server sha256//$(openssl x509 -in server.crt -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)"
[ "$pin" = "$(cat server.pin)" ] || fail "openssl computes another pin: $pin"
"$ward" key show server.crt | grep -qx "$pin" || fail "key show prints the pin"
chmod 755 keys
expect 3 "has mode 0755" "$ward" key party third
chmod 700 keys

# ---- minisign
"$ward" key new --signing ours.key > /dev/null
minisign -G -W -p theirs.pub -s theirs.key > /dev/null
"$ward" sign -s ours.key -t "release 1" plain > /dev/null
minisign -V -p ours.key.pub -m plain -x plain.minisig -Q | grep -qx "release 1" || fail "minisign verifies ward's signature"
"$ward" sign -s theirs.key -x by-ward.sig plain > /dev/null
minisign -V -p theirs.pub -m plain -x by-ward.sig > /dev/null || fail "ward signs with minisign's key"
minisign -S -s theirs.key -m plain -x by-minisign.sig -t "made there" > /dev/null
"$ward" verify -k theirs.pub -x by-minisign.sig plain | grep -qx "trusted comment: made there" || fail "ward verifies minisign's signature"
minisign -S -s ours.key -m plain -x by-minisign2.sig > /dev/null || fail "minisign signs with ward's key"
expect 1 "the signature is by key" "$ward" verify -k ours.key.pub -x by-minisign.sig plain
echo x >> plain
expect 1 "does not match the file" "$ward" verify -k theirs.pub -x by-minisign.sig plain

# ---- a release folder, checked without ward
mkdir -p release/sub
echo 1 > release/a; echo 2 > "release/sub/b c"
"$ward" sign -s ours.key release > /dev/null
"$ward" verify -k ours.key.pub release > /dev/null
(cd release && sha256sum --strict -c SHA256SUMS > /dev/null) || fail "sha256sum reads the manifest"
minisign -V -p ours.key.pub -m release/SHA256SUMS -x release/SHA256SUMS.minisig > /dev/null || fail "minisign verifies the release"
echo 3 > release/new
expect 1 "new was added after signing" "$ward" verify -k ours.key.pub release

echo "interoperation with $(age --version | head -1 | sed 's/^v*/age /'), $(minisign -v 2>&1 | head -1): passed up to $largest bytes"
