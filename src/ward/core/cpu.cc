#include "ward/core/cpu.h"

#include <cpuid.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "ward/core/error.h"

namespace ward {
namespace {

std::string read_brand() {
    std::array<unsigned, 12> words{};
    for (unsigned leaf = 0; leaf < 3; ++leaf) {
        unsigned* out = &words[4 * leaf];
        if (__get_cpuid(0x80000002u + leaf, &out[0], &out[1], &out[2], &out[3]) == 0)
            return "unknown";
    }
    char text[49] = {};
    std::memcpy(text, words.data(), 48);
    std::string brand(text);
    brand.erase(0, brand.find_first_not_of(' '));
    brand.erase(brand.find_last_not_of(' ') + 1);
    return brand;
}

CpuFeatures read_features() {
    __builtin_cpu_init();
    CpuFeatures found;
    found.brand = read_brand();
    found.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    found.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    found.avx512_ifma = found.avx512 && __builtin_cpu_supports("avx512ifma");
    found.avx512_vbmi2 = found.avx512 && __builtin_cpu_supports("avx512vbmi2");
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {
        found.vaes = found.avx2 && (ecx & (1u << 9)) != 0 && (ecx & (1u << 10)) != 0;
        found.amx_bf16 = found.avx512 && (edx & (1u << 22)) != 0;
    }
    if (__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0) {
        found.avx512_bf16 = found.avx512 && (eax & (1u << 5)) != 0;
    }
    return found;
}

Isa best_isa() {
    if (cpu_features().avx512) return Isa::kAvx512;
    return cpu_features().avx2 ? Isa::kAvx2 : Isa::kScalar;
}

Isa choose_isa() {
    const char* wanted = std::getenv("WARD_ISA");
    if (wanted == nullptr || *wanted == '\0') return best_isa();
    for (Isa level : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
        if (wanted != isa_name(level)) continue;
        if (level > best_isa()) {
            throw Error(ErrorCode::kUsage,
                        std::string("WARD_ISA=") + wanted + " is not supported by this processor",
                        "unset WARD_ISA or use " + std::string(isa_name(best_isa())));
        }
        return level;
    }
    throw Error(ErrorCode::kUsage,
                std::string("WARD_ISA must be scalar, avx2 or avx512, got ") + wanted);
}

}  // namespace

const CpuFeatures& cpu_features() {
    static const CpuFeatures features = read_features();
    return features;
}

Isa isa() {
    static const Isa level = choose_isa();
    return level;
}

std::string_view isa_name(Isa level) {
    switch (level) {
        case Isa::kScalar:
            return "scalar";
        case Isa::kAvx2:
            return "avx2";
        case Isa::kAvx512:
            return "avx512";
    }
    return "unknown";
}

}  // namespace ward
