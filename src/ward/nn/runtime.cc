#include "ward/nn/runtime.h"

#include <malloc.h>
#include <torch/csrc/api/include/torch/version.h>
#include <unistd.h>

#include <cstdlib>

#include "ward/core/cpu.h"
#include "ward/nn/internal/blas.h"

namespace ward::nn {
namespace {

const char* const kSpins = "1000";

bool own_kernels = cpu_features().avx512;

bool unset(const char* name) { return std::getenv(name) == nullptr; }

}  // namespace

void tune_process(char** argv) {
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    if (!unset("WARD_PROCESS_TUNED")) return;
    bool changed = false;
    // Debian's OpenBLAS takes new processors for a Haswell. Its Haswell and Zen kernels are slow
    // where there is AVX-512, and everywhere they give a row other bits at other places, which
    // private training cannot use (docs/decisions/0002-arithmetic-sensitivity.md).
    const std::string blas = blas_description();
    if (unset("OPENBLAS_CORETYPE") &&
        (blas.find("Haswell") != std::string::npos || blas.find("Zen") != std::string::npos)) {
        changed |=
            setenv("OPENBLAS_CORETYPE", cpu_features().avx512 ? "SkylakeX" : "Sandybridge", 0) == 0;
    }
    if (unset("GOMP_SPINCOUNT") && unset("OMP_WAIT_POLICY"))
        changed |= setenv("GOMP_SPINCOUNT", kSpins, 0) == 0;
    if (!changed || setenv("WARD_PROCESS_TUNED", "1", 1) != 0) return;
    execv("/proc/self/exe", argv);
}

void use_own_kernels(bool on) { own_kernels = on && cpu_features().avx512; }
bool uses_own_kernels() { return own_kernels; }

std::string blas_description() { return describe_blas(); }

std::string torch_version() { return TORCH_VERSION; }

}  // namespace ward::nn
