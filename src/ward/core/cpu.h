// What this processor can do, and the one place where a kernel variant is chosen.
#pragma once

#include <string>
#include <string_view>

namespace ward {

struct CpuFeatures {
    std::string brand;
    bool avx2 = false;    // with FMA
    bool avx512 = false;  // F, DQ, BW, VL
    bool avx512_ifma = false;
    bool avx512_vbmi2 = false;
    bool avx512_bf16 = false;
    bool vaes = false;  // VAES and VPCLMULQDQ
    bool amx_bf16 = false;
};

const CpuFeatures& cpu_features();

enum class Isa { kScalar, kAvx2, kAvx512 };

// The best level this processor runs, or the one that WARD_ISA=scalar|avx2|avx512 asks for.
// Read once. Throws Error kUsage when WARD_ISA names an unknown level or one the processor lacks.
Isa isa();
std::string_view isa_name(Isa level);

}  // namespace ward
