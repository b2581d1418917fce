#include <algorithm>
#include <cmath>
#include <limits>

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
    if (std::isfinite(total)) return total;
    total = 0;  // a product beyond float32 says nothing about the sum, and -inf would read as 0
    for (i = 0; i < n; ++i) total += static_cast<double>(a[i]) * g[i];
    return total;
}

}  // namespace

double dot_error(int64_t terms) {
    const double nu = static_cast<double>(terms) * 0x1p-24;
    return nu / (1 - nu);
}

double underflow_of(int64_t terms) { return static_cast<double>(terms + 1) * 0x1p-148; }

GramNorm norm_from_grams(const float* a, const float* g, int64_t n, int64_t terms) {
    const double lost = underflow_of(terms);
    double diagonal = 0, above = 0, radius = 0, a_norms = 0, g_norms = 0;
    for (int64_t t = 0; t < n; ++t) {
        const double a_square = a[t * n + t], g_square = g[t * n + t];
        const double a_norm = std::sqrt(a_square + lost), g_norm = std::sqrt(g_square + lost);
        diagonal += a_square * g_square;
        radius += a_norm * g_norm;
        a_norms += a_norm;
        g_norms += g_norm;
        above += block_dot(a + t * n + t + 1, g + t * n + t + 1, n - t - 1);
    }
    const double squared = diagonal + 2 * above;
    if (!std::isfinite(squared)) return {std::numeric_limits<double>::infinity(), 0};
    // Entries carry terms roundings, their products and sums within a lane kBlock / 16 more; what
    // underflows is lost besides.
    return {std::max(squared, 0.0), dot_error(terms + kBlock / 16 + 2) * radius * radius +
                                        lost * (a_norms * a_norms + g_norms * g_norms)};
}

}  // namespace ward::nn
