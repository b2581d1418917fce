#include "ward/train/lattice.h"

#include <algorithm>
#include <span>
#include <vector>

#include "ward/core/simd.h"
#include "ward/nn/torch.h"

namespace ward::train {
namespace {

constexpr int64_t kChunk = 65536;

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

// Chunk by chunk, while noise and values are in cache.
template <typename Real>
void add_in_parallel(const Real* values, int64_t count, double step,
                     const dp::DiscreteGaussian& noise, Random& random, double scale, float* out) {
    const int64_t chunks = (count + kChunk - 1) / kChunk;
    std::vector<Random> randoms;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) randoms.push_back(random.split());
    at::parallel_for(0, chunks, 1, [&](int64_t first, int64_t last) {
        std::vector<int32_t> samples(std::min(kChunk, count));
        for (int64_t chunk = first; chunk < last; ++chunk) {
            const int64_t begin = chunk * kChunk, width = std::min(kChunk, count - begin);
            noise.sample_vartime(randoms[chunk], std::span(samples).first(width));
            add_noise_to(values + begin, samples.data(), width, 1 / step, scale, out + begin);
        }
    });
}

}  // namespace

at::Tensor lattice_sum_with_noise(at::Tensor values, double step, const dp::DiscreteGaussian& noise,
                                  Random& random, double scale) {
    const at::Tensor source = values.to(at::kCPU).contiguous();
    if (source.scalar_type() == at::kDouble) {
        at::Tensor out = torch::empty(source.sizes());
        add_in_parallel(source.data_ptr<double>(), source.numel(), step, noise, random, scale,
                        out.data_ptr<float>());
        return out.to(values.device());
    }
    add_in_parallel(source.data_ptr<float>(), source.numel(), step, noise, random, scale,
                    source.data_ptr<float>());
    return source.to(values.device());
}

}  // namespace ward::train
