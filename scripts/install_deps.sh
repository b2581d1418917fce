#!/usr/bin/env bash
# Installs what Ward builds, runs and tests with, on Debian 12 or later. Needs root (or sudo). Safe to run again.
set -euo pipefail

packages=(
    g++ cmake ninja-build ccache lld git python3
    libtorch-dev libopenblas-openmp-dev libdnnl-dev
    libssl-dev libsodium-dev libsqlite3-dev zlib1g-dev libpng-dev libjpeg-dev libeigen3-dev
    libcpp-httplib-dev libcli11-dev libspdlog-dev nlohmann-json3-dev libyaml-cpp-dev
    libgtest-dev libgmock-dev libbenchmark-dev
    libjs-chart.js
)
# For scripts/test.sh only: fuzzing, formatting, pages in a real browser, interoperation of encrypted and signed files,
# the constant-time check.
test_packages=(clang libclang-rt-14-dev clang-format chromium age minisign python3-cryptography valgrind)
if [[ "${1:-}" == "--test" ]]; then packages+=("${test_packages[@]}"); fi

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then exit 0; fi

run=()
if [[ $EUID -ne 0 ]]; then run=(sudo); fi
echo "installing: ${missing[*]}"
"${run[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${run[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
