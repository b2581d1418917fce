#!/usr/bin/env bash
# Installs Ward into a scratch folder and builds an outside project against it:
# install_consumer_test.sh BUILD_FOLDER SOURCE_FOLDER
set -euo pipefail
build="$1" source="$2"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
cmake --install "$build" --prefix "$scratch/prefix" >/dev/null
cmake -G Ninja -S "$source/tests/install_consumer" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$scratch/prefix" >/dev/null
cmake --build "$scratch/build" >/dev/null
"$scratch/build/consumer"
"$scratch/prefix/bin/ward" data describe digits --json 2>/dev/null | grep '"digest"' >/dev/null
if ldd "$scratch/build/consumer" | grep -E "libtorch|libc10"; then
    echo "a consumer of ward::dp alone needs LibTorch" >&2
    exit 1
fi
