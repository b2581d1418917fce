#include "ward/train/lattice.h"

#include <cmath>

#include "ward/core/simd.h"
#include "ward/nn/torch.h"

namespace ward::train {
namespace {

constexpr int64_t kGrain = 1 << 15;

// Adding and subtracting 1.5 * 2^52 rounds to the nearest whole number (ties to even) for |x| <
// 2^51.
constexpr double kRounder = 0x1.8p52;
constexpr double kLargest = 0x1p50;

template <typename Real>
inline __attribute__((always_inline)) void add_noise(const Real* values, const int32_t* noise,
                                                     int64_t n, double inverse_step, double scale,
                                                     float* out) {
    for (int64_t i = 0; i < n; ++i) {
        const double x = static_cast<double>(values[i]) * inverse_step;
        const double bounded = x >= -kLargest && x <= kLargest ? x : 0.0;  // also for NaN
        out[i] = static_cast<float>(((bounded + kRounder) - kRounder + noise[i]) * scale);
    }
}

WARD_SIMD_CLONES void add_noise_to(const float* values, const int32_t* noise, int64_t n,
                                   double inverse_step, double scale, float* out) {
    add_noise(values, noise, n, inverse_step, scale, out);
}

WARD_SIMD_CLONES void add_noise_to(const double* values, const int32_t* noise, int64_t n,
                                   double inverse_step, double scale, float* out) {
    add_noise(values, noise, n, inverse_step, scale, out);
}

template <typename Real>
void add_in_parallel(const at::Tensor& values, double step, std::span<const int32_t> noise,
                     double scale, float* out) {
    const Real* data = values.data_ptr<Real>();
    at::parallel_for(0, values.numel(), kGrain, [&](int64_t first, int64_t last) {
        add_noise_to(data + first, noise.data() + first, last - first, 1 / step, scale,
                     out + first);
    });
}

}  // namespace

at::Tensor lattice_sum_with_noise(const at::Tensor& values, double step,
                                  std::span<const int32_t> noise, double scale) {
    const at::Tensor source = values.to(at::kCPU).contiguous();
    at::Tensor out = torch::empty(source.sizes());
    if (source.scalar_type() == at::kDouble) {
        add_in_parallel<double>(source, step, noise, scale, out.data_ptr<float>());
    } else {
        add_in_parallel<float>(source, step, noise, scale, out.data_ptr<float>());
    }
    return out.to(values.device());
}

}  // namespace ward::train
