#include "ward/attack/internal/descent_kernels.h"

#include <algorithm>
#include <cmath>

#include "ward/attack/internal/lanes.h"

namespace ward::attack {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999;
constexpr float kTiny = 1e-8f;

}  // namespace

AdamRates::AdamRates(double step_size, int64_t step)
    : rate(static_cast<float>(step_size / (1 - std::pow(kBeta1, double(step))))),
      root_of_unbias(static_cast<float>(1 / std::sqrt(1 - std::pow(kBeta2, double(step))))) {}

WARD_SIMD_CLONES void adam_move(const AdamRates& rates, const float* slope, float* mean,
                                float* square, float* to, int64_t n) {
    constexpr auto kKeep1 = static_cast<float>(kBeta1), kKeep2 = static_cast<float>(kBeta2);
    constexpr auto kNew1 = static_cast<float>(1 - kBeta1), kNew2 = static_cast<float>(1 - kBeta2);
    const float rate = rates.rate, root = rates.root_of_unbias;
    for (int64_t j = 0; j < n; ++j) {
        const float m = kKeep1 * mean[j] + kNew1 * slope[j];
        const float s = kKeep2 * square[j] + kNew2 * (slope[j] * slope[j]);
        mean[j] = m;
        square[j] = s;
        to[j] -= rate * m / (std::sqrt(s) * root + kTiny);
    }
}

WARD_SIMD_CLONES void squared_distance_slope(const float* x, const float* x0, const float* gradient,
                                             float weight, float* slope, int64_t n) {
    for (int64_t j = 0; j < n; ++j) slope[j] = 2 * (x[j] - x0[j]) - weight * gradient[j];
}

WARD_SIMD_CLONES void excess_slope(const float* x, const float* x0, const float* gradient,
                                   float weight, float bound, float* slope, int64_t n) {
    for (int64_t j = 0; j < n; ++j) {
        const float moved = x[j] - x0[j];
        const float back = moved > bound ? 1.0f : (moved < -bound ? -1.0f : 0.0f);
        slope[j] = back - weight * gradient[j];
    }
}

WARD_SIMD_CLONES void clip_row(float lower, float upper, float* x, int64_t n) {
    for (int64_t j = 0; j < n; ++j) x[j] = std::min(std::max(x[j], lower), upper);
}

}  // namespace ward::attack
