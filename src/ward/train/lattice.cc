#include "ward/train/lattice.h"

#include <cmath>

#include "ward/nn/internal/simd.h"
#include "ward/nn/torch.h"

namespace ward::train {
namespace {

constexpr int64_t kGrain = 1 << 15;

// Adding and subtracting 1.5 * 2^52 rounds to the nearest whole number (ties to even) for |x| <
// 2^51.
constexpr double kRounder = 0x1.8p52;
constexpr double kLargest = 0x1p50;

inline double nearest(float value, double inverse_step) {
    const double x = static_cast<double>(value) * inverse_step;
    const double bounded = x >= -kLargest && x <= kLargest ? x : 0.0;  // also false for NaN
    return (bounded + kRounder) - kRounder;
}

WARD_SIMD_CLONES void round_row(const float* values, int64_t n, double inverse_step, double* out) {
    for (int64_t i = 0; i < n; ++i) out[i] = nearest(values[i], inverse_step);
}

WARD_SIMD_CLONES void round_and_add(const float* values, const int32_t* noise, int64_t n,
                                    double inverse_step, double scale, float* out) {
    for (int64_t i = 0; i < n; ++i)
        out[i] = static_cast<float>((nearest(values[i], inverse_step) + noise[i]) * scale);
}

WARD_SIMD_CLONES void add_row(const double* lattice, const int32_t* noise, int64_t n, double scale,
                              float* out) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>((lattice[i] + noise[i]) * scale);
}

}  // namespace

at::Tensor to_lattice(const at::Tensor& values, double step) {
    const at::Tensor source = values.to(at::kCPU).contiguous();
    at::Tensor out = torch::empty(source.sizes(), at::kDouble);
    const float* data = source.data_ptr<float>();
    double* target = out.data_ptr<double>();
    at::parallel_for(0, source.numel(), kGrain, [&](int64_t a, int64_t b) {
        round_row(data + a, b - a, 1 / step, target + a);
    });
    return out;
}

at::Tensor lattice_sum_with_noise(const at::Tensor& values, double step,
                                  std::span<const int32_t> noise, double scale) {
    const at::Tensor source = values.to(at::kCPU).contiguous();
    at::Tensor out = torch::empty(source.sizes());
    const float* data = source.data_ptr<float>();
    float* target = out.data_ptr<float>();
    at::parallel_for(0, source.numel(), kGrain, [&](int64_t a, int64_t b) {
        round_and_add(data + a, noise.data() + a, b - a, 1 / step, scale, target + a);
    });
    return out.to(values.device());
}

at::Tensor add_lattice_noise(const at::Tensor& lattice, std::span<const int32_t> noise,
                             double scale) {
    at::Tensor out = torch::empty(lattice.sizes());
    const double* data = lattice.data_ptr<double>();
    float* target = out.data_ptr<float>();
    at::parallel_for(0, lattice.numel(), kGrain, [&](int64_t a, int64_t b) {
        add_row(data + a, noise.data() + a, b - a, scale, target + a);
    });
    return out;
}

}  // namespace ward::train
