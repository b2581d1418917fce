#!/usr/bin/env bash
# Programs of a build without LibTorch must not need it: no_torch_links_test.sh FOLDER
set -euo pipefail
for program in "$1"/*; do
    [[ -x "$program" && ! -d "$program" ]] || continue
    if ldd "$program" | grep -E "libtorch|libc10"; then
        echo "$program needs LibTorch" >&2
        exit 1
    fi
done
echo "no program in $1 needs LibTorch"
