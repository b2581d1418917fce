#include <algorithm>
#include <cmath>

#include "ward/core/simd.h"
#include "ward/nn/internal/gradient_rule.h"

namespace ward::nn {
namespace {

// Sums of at most this many float32 products before they are added in double.
constexpr int64_t kBlock = 256;

WARD_SIMD_CLONES double block_dot(const float* a, const float* g, int64_t n) {
    double total = 0;
    int64_t i = 0;
    while (i + 16 <= n) {
        const int64_t end = std::min(n, i + kBlock);
        Float16 sum = {};
        for (; i + 16 <= end; i += 16) sum += load16(a + i) * load16(g + i);
        total += add_lanes(sum);
    }
    for (; i < n; ++i) total += static_cast<double>(a[i]) * g[i];
    return total;
}

}  // namespace

double dot_error(int64_t terms) {
    const double nu = static_cast<double>(terms) * 0x1p-24;
    return nu / (1 - nu);
}

GramNorm norm_from_grams(const float* a, const float* g, int64_t n, int64_t terms) {
    double diagonal = 0, above = 0, radius = 0;
    for (int64_t t = 0; t < n; ++t) {
        const double product = static_cast<double>(a[t * n + t]) * g[t * n + t];
        diagonal += product;
        radius += std::sqrt(std::max(product, 0.0));
        above += block_dot(a + t * n + t + 1, g + t * n + t + 1, n - t - 1);
    }
    // Entries carry terms roundings, their products and sums within a lane kBlock / 16 more.
    return {std::max(diagonal + 2 * above, 0.0),
            dot_error(terms + kBlock / 16 + 2) * radius * radius};
}

}  // namespace ward::nn
