#include "ward/he/internal/kernels.h"

namespace ward::he::internal {

bool has_avx512_ifma() { return cpu_features().avx512_ifma; }

const Kernels& kernels() {
    static const Kernels& chosen =
        isa() >= Isa::kAvx512 && has_avx512_ifma() ? avx512_ifma_kernels() : scalar_kernels();
    return chosen;
}

}  // namespace ward::he::internal
