#include "ward/attack/label_only.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "ward/attack/evasion.h"
#include "ward/attack/hopskipjump.h"
#include "ward/attack/internal/rows.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

// In deviations of an input; for flips, the probability is a twentieth of it.
constexpr std::array<double, 8> kScales = {0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4};
constexpr double kFlipsPerScale = 0.05;

void check(const at::Tensor& x, const at::Tensor& y, const at::Tensor& population,
           const LabelOnlyOptions& options) {
    if (options.draws < 1 || options.steps < 1) {
        throw Error(ErrorCode::kUsage, "label-only attacks need at least 1 draw and 1 step, got " +
                                           std::to_string(options.draws) + " and " +
                                           std::to_string(options.steps));
    }
    if (x.dim() < 2 || y.numel() != x.size(0) || population.size(0) < 1 ||
        row_size(population) != row_size(x)) {
        throw Error(ErrorCode::kInvalid,
                    "label-only attacks need one label per example and a population of the same "
                    "shape");
    }
}

// How each input is disturbed.
struct Noise {
    std::vector<float> deviation;  // 0: the input is flipped
    std::vector<float> sum;        // of its two values: a flip of v is sum - v

    explicit Noise(const at::Tensor& population) {
        const int64_t size = row_size(population), n = population.size(0);
        const at::Tensor rows = population.reshape({n, size}).contiguous();
        const at::Tensor spread = rows.std(0, false).contiguous();
        const at::Tensor low = std::get<0>(rows.min(0)), high = std::get<0>(rows.max(0));
        const at::Tensor two = (at::logical_or(rows == low, rows == high)).all(0).contiguous();
        for (int64_t j = 0; j < size; ++j) {
            const bool flips = two.data_ptr<bool>()[j];
            deviation.push_back(flips ? 0 : spread.data_ptr<float>()[j]);
            sum.push_back(low.data_ptr<float>()[j] + high.data_ptr<float>()[j]);
        }
    }

    void disturb(double scale, Generator& generator, float* x) const {
        for (size_t j = 0; j < deviation.size(); ++j) {
            if (deviation[j] > 0)
                x[j] += static_cast<float>(scale * deviation[j] * gaussian(generator));
            else if (uniform01(generator) < kFlipsPerScale * scale)
                x[j] = sum[j] - x[j];
        }
    }
};

}  // namespace

std::vector<double> noise_robustness(Target& target, const at::Tensor& x, const at::Tensor& y,
                                     const at::Tensor& population,
                                     const LabelOnlyOptions& options) {
    check(x, y, population, options);
    const int64_t n = x.size(0);
    const Noise noise(population);
    Generator generator(options.seed);
    const at::Tensor right = (target.labels(x) == y).contiguous();
    at::Tensor kept = torch::zeros({n}, at::kLong);
    for (const double scale : kScales) {
        for (int64_t draw = 0; draw < options.draws; ++draw) {
            at::Tensor noisy = x.contiguous().clone();
            for (int64_t i = 0; i < n; ++i) noise.disturb(scale, generator, row(noisy, i));
            kept += (target.labels(noisy) == y).to(at::kLong);
        }
    }
    std::vector<double> scores(n);
    const auto queries = static_cast<double>(options.draws * std::ssize(kScales));
    for (int64_t i = 0; i < n; ++i) {
        const auto count = static_cast<double>(kept.data_ptr<int64_t>()[i]);
        scores[i] = right.data_ptr<bool>()[i] ? count / queries : -1;
    }
    return scores;
}

std::vector<double> boundary_distances(Target& target, const at::Tensor& x, const at::Tensor& y,
                                       const at::Tensor& population,
                                       const LabelOnlyOptions& options) {
    check(x, y, population, options);
    std::vector<double> distances(x.size(0), -1);
    const at::Tensor rows = (target.labels(x) == y).nonzero().flatten();
    if (rows.numel() == 0) return distances;
    EvasionOptions evasion{.norm = Norm::kL2, .steps = options.steps, .seed = options.seed};
    evasion.lower = std::min(population.min().item<double>(), x.min().item<double>());
    evasion.upper = std::max(population.max().item<double>(), x.max().item<double>());
    evasion.epsilon = (evasion.upper - evasion.lower) * std::sqrt(double(row_size(x)));
    const auto attack = make_hopskipjump(evasion);
    const Points points = Points{x, y, {}}.select(rows);
    const at::Tensor found = attack->perturb(target, points);
    const at::Tensor fooled = (target.labels(found) != points.y).contiguous();
    const at::Tensor norms = row_norms(found - points.x, Norm::kL2).contiguous();
    for (int64_t k = 0; k < rows.numel(); ++k) {
        distances[rows.data_ptr<int64_t>()[k]] =
            fooled.data_ptr<bool>()[k] ? norms.data_ptr<double>()[k] : 2 * evasion.epsilon;
    }
    return distances;
}

}  // namespace ward::attack
