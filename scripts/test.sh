#!/usr/bin/env bash
# Installs what is missing, builds, and runs every check. About 10 minutes cold on two cores, seconds when nothing
# changed. Long checks have scripts of their own: docs/testing.md.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs="$(nproc)"

step() { printf '\n== %s\n' "$*"; }

step "install"
scripts/install_deps.sh --test

step "layers and headers"
tools/check_layers.py

step "release: everything"
cmake --preset release >/dev/null
cmake --build --preset release -j "$jobs"
ctest --preset release -j "$jobs" --progress --output-junit "$PWD/build/release/tests.xml"

step "public headers compile alone"
cmake --build --preset release -j "$jobs" --target all_verify_interface_header_sets

step "no-torch: nothing of LibTorch is linked"
cmake --preset no-torch >/dev/null
cmake --build --preset no-torch -j "$jobs"
tests/no_torch_links_test.sh build/no-torch/bin

step "asan: address and undefined behaviour"
cmake --preset asan >/dev/null
cmake --build --preset asan -j "$jobs"
ctest --preset asan -j "$jobs" -LE slow

step "fuzz: a few seconds each"
scripts/fuzz.sh 3

tools/summarise_tests.py build/release/tests.xml
