#include "ward/he/internal/kernels.h"

namespace ward::he::internal {

bool has_avx512_ifma() { return cpu_features().avx512_ifma; }

bool has_avx2() { return cpu_features().avx2; }

namespace {

const Kernels& choose() {
    if (isa() >= Isa::kAvx512 && has_avx512_ifma()) return avx512_ifma_kernels();
    return isa() >= Isa::kAvx2 && has_avx2() ? avx2_kernels() : scalar_kernels();
}

}  // namespace

const Kernels& kernels() {
    static const Kernels& chosen = choose();
    return chosen;
}

}  // namespace ward::he::internal
