#include "ward/train/lattice.h"

#include <algorithm>
#include <span>
#include <vector>

#include "ward/core/simd.h"
#include "ward/nn/torch.h"

namespace ward::train {
namespace {

constexpr int64_t kPiece = 32768, kLeastLane = 4096;
constexpr int64_t kLanes = 16;  // of coordinates, each with its own generator

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
        const double number = x == x ? x : 0.0;
        const double low = number > -kLargest ? number : -kLargest;
        const double bounded = low < kLargest ? low : kLargest;
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

// Consecutive coordinates of the whole gradient: a stretch of one tensor.
struct Stretch {
    const at::Tensor* values;
    float* out;
    int64_t begin;  // of the tensor's first value among all coordinates
};

void add_piece(const Stretch& stretch, int64_t begin, std::span<const int32_t> noise, double step,
               double scale) {
    const int64_t offset = begin - stretch.begin, count = std::ssize(noise);
    if (stretch.values->scalar_type() == at::kDouble) {
        add_noise_to(stretch.values->data_ptr<double>() + offset, noise.data(), count, 1 / step,
                     scale, stretch.out + offset);
    } else {
        add_noise_to(stretch.values->data_ptr<float>() + offset, noise.data(), count, 1 / step,
                     scale, stretch.out + offset);
    }
}

// The coordinates begin..end, piece by piece, while noise and values are in cache.
void add_lane(const std::vector<Stretch>& stretches, int64_t begin, int64_t end, double step,
              const dp::DiscreteGaussian& noise, Random& random, double scale) {
    std::vector<int32_t> samples(std::min(kPiece, end - begin));
    for (const Stretch& stretch : stretches) {
        const int64_t stop = std::min(end, stretch.begin + stretch.values->numel());
        while (begin < stop && begin >= stretch.begin) {
            const auto piece = std::span(samples).first(std::min(kPiece, stop - begin));
            noise.sample_vartime(random, piece);
            add_piece(stretch, begin, piece, step, scale);
            begin += std::ssize(piece);
        }
    }
}

}  // namespace

void add_lattice_noise(std::vector<at::Tensor>& values, double step,
                       const dp::DiscreteGaussian& noise, Random& random, double scale) {
    std::vector<at::Tensor> sources, results;
    for (const at::Tensor& tensor : values) {
        if (!tensor.defined()) continue;
        sources.push_back(tensor.to(at::kCPU).contiguous());
        const bool in_place = sources.back().scalar_type() == at::kFloat;
        results.push_back(in_place ? sources.back() : torch::empty(tensor.sizes()));
    }
    std::vector<Stretch> stretches;
    int64_t total = 0;
    for (size_t i = 0; i < sources.size(); ++i) {
        stretches.push_back({&sources[i], results[i].data_ptr<float>(), total});
        total += sources[i].numel();
    }
    const int64_t lanes = std::clamp<int64_t>(total / kLeastLane, 1, kLanes);
    std::vector<Random> randoms;
    for (int64_t lane = 0; lane < lanes; ++lane) randoms.push_back(random.split());
    at::parallel_for(0, lanes, 1, [&](int64_t first, int64_t last) {
        for (int64_t lane = first; lane < last; ++lane) {
            add_lane(stretches, total * lane / lanes, total * (lane + 1) / lanes, step, noise,
                     randoms[lane], scale);
        }
    });
    size_t next = 0;
    for (at::Tensor& tensor : values) {
        if (tensor.defined()) tensor = results[next++].to(tensor.device());
    }
}

}  // namespace ward::train
