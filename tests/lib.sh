# What the shell tests share: a folder of their own in $work, removed at the end; fail; expect; skip.
# For sh and bash; used by `. "$(dirname "$0")/lib.sh"`.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $1" >&2; exit 1; }

# skip WHY: the test cannot run here; CTest counts exit code 77 as skipped.
skip() { echo "skipped: $1"; exit 77; }

# expect CODE TEXT COMMAND...: the command must end with this exit code, one line `ward: error:`, the text somewhere on
# standard error, and nothing on standard output. What it wrote is in $work/out and $work/err.
expect() {
  code=$1 text=$2
  shift 2
  got=0
  "$@" > "$work/out" 2> "$work/err" || got=$?
  [ "$got" -eq "$code" ] || fail "$*: exit code $got, expected $code: $(cat "$work/err")"
  [ ! -s "$work/out" ] || fail "$*: wrote to stdout in spite of an error"
  [ "$(grep -c '^ward: error: ' "$work/err")" -eq 1 ] || fail "$*: not one line of error: $(cat "$work/err")"
  grep -qF -- "$text" "$work/err" || fail "$*: $(cat "$work/err"), expected: $text"
}
