#include <cmath>

#include "ward/dp/internal/dgauss_kernels.h"

namespace ward::dp::internal {
namespace {

struct Candidate {
    uint32_t bin;
    uint32_t low;
    uint32_t u;
    bool negative;
};

inline Candidate unpack(const DgaussTable& table, uint32_t a, uint32_t b) {
    const uint32_t cell = a >> 22;
    const uint32_t entry = table.alias[cell];
    const bool keep = ((a >> 6) & 0xffff) < (entry >> 16);
    const uint32_t low_mask = (1u << table.log2_width) - 1;
    return {keep ? cell : (entry & 0xffff), b & low_mask, b >> table.u_shift, ((a >> 5) & 1) != 0};
}

// u - rho in float, with the same operations in the same order as the vector kernels.
inline float decide(const DgaussTable& table, const Candidate& c) {
    const float l = static_cast<float>(static_cast<int32_t>(c.low)) * table.low_unit;
    const float twice = static_cast<float>(static_cast<int32_t>(2 * c.bin));
    const float t = l * (twice + l) * table.curvature;
    float p = std::fma(t, -1.0f / 120, 1.0f / 24);
    p = std::fma(t, p, -1.0f / 6);
    p = std::fma(t, p, 0.5f);
    p = std::fma(t, p, -1.0f);
    p = std::fma(t, p, 1.0f);
    const float scaled = static_cast<float>(static_cast<int32_t>(c.u)) * table.u_unit;
    return std::fma(-table.height[c.bin], p, scaled);
}

template <typename Int>
size_t run(const DgaussTable& table, const uint32_t* a, const uint32_t* b, size_t n, Int* out,
           Random& random) {
    size_t count = 0;
    for (size_t i = 0; i < n; ++i) {
        const Candidate c = unpack(table, a[i], b[i]);
        const uint64_t magnitude = (uint64_t{c.bin} << table.log2_width) | c.low;
        const float gap = decide(table, c);
        bool accepted = gap <= table.sure_accept;
        if (!accepted && gap < table.sure_reject) {
            accepted = dgauss_accept_exactly(table, c.bin, magnitude, c.u, random);
        }
        if (!accepted || (c.negative && magnitude == 0)) continue;
        const auto value = static_cast<Int>(magnitude);
        out[count++] = c.negative ? -value : value;
    }
    return count;
}

}  // namespace

size_t dgauss_scalar(const DgaussTable& table, const uint32_t* a, const uint32_t* b, size_t n,
                     int32_t* out, Random& random) {
    return run(table, a, b, n, out, random);
}

size_t dgauss_wide(const DgaussTable& table, const uint32_t* a, const uint32_t* b, size_t n,
                   int64_t* out, Random& random) {
    return run(table, a, b, n, out, random);
}

}  // namespace ward::dp::internal
