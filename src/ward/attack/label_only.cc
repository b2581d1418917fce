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

void check(const at::Tensor& x, const Box& box) {
    const double low = x.min().item<double>(), high = x.max().item<double>();
    if (low >= box.lower && high <= box.upper) return;
    throw Error(ErrorCode::kInvalid, "examples must lie in the box " + std::to_string(box.lower) +
                                         " to " + std::to_string(box.upper) + ", got values from " +
                                         std::to_string(low) + " to " + std::to_string(high));
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

constexpr int64_t kMostShift = 3;                                       // pixels
constexpr std::array<double, 7> kRotations = {2, 4, 6, 8, 10, 12, 14};  // degrees, either way

// Where copies of images of this size take their pixels from: theta {2, 3} of an affine grid.
std::vector<at::Tensor> image_copies(double height, double width) {
    std::vector<at::Tensor> copies;
    const auto add = [&](double a, double b, double c, double d, double e, double f) {
        copies.push_back(torch::tensor({a, b, c, d, e, f}, at::kFloat).view({1, 2, 3}));
    };
    for (int64_t d = 1; d <= kMostShift; ++d) {
        for (int64_t i = -d; i <= d; ++i) {
            const int64_t j = d - std::abs(i);
            for (const int64_t across : {-j, j}) {
                add(1, 0, 2 * double(across) / width, 0, 1, 2 * double(i) / height);
                if (j == 0) break;
            }
        }
    }
    for (const double degrees : kRotations) {
        for (const double angle : {degrees * M_PI / 180, -degrees * M_PI / 180}) {
            const double c = std::cos(angle), s = std::sin(angle);
            add(c, -s * height / width, 0, s * width / height, c, 0);
        }
    }
    return copies;
}

std::vector<Generator> one_for_each(int64_t rows, const LabelOnlyOptions& options) {
    std::vector<Generator> generators;
    for (int64_t i = 0; i < rows; ++i) {
        const auto number = static_cast<uint64_t>(options.first + i);
        generators.emplace_back(options.seed + 0x9e3779b97f4a7c15u * (number + 1));
    }
    return generators;
}

// Scores from how many of the copies keep the label; wrong examples are below all others.
std::vector<double> shares(const at::Tensor& kept, const at::Tensor& right, int64_t copies) {
    std::vector<double> scores(static_cast<size_t>(kept.numel()));
    for (int64_t i = 0; i < kept.numel(); ++i) {
        const auto count = static_cast<double>(kept.data_ptr<int64_t>()[i]);
        scores[i] = right.data_ptr<bool>()[i] ? count / static_cast<double>(copies) : -1;
    }
    return scores;
}

}  // namespace

Box box_of(const at::Tensor& x, const at::Tensor& population) {
    return {std::min(population.min().item<double>(), x.min().item<double>()),
            std::max(population.max().item<double>(), x.max().item<double>())};
}

std::vector<double> noise_robustness(Target& target, const at::Tensor& x, const at::Tensor& y,
                                     const at::Tensor& population,
                                     const LabelOnlyOptions& options) {
    check(x, y, population, options);
    const int64_t n = x.size(0);
    const Noise noise(population);
    std::vector<Generator> generators = one_for_each(n, options);
    const at::Tensor right = (target.labels(x) == y).contiguous();
    at::Tensor kept = torch::zeros({n}, at::kLong);
    for (const double scale : kScales) {
        for (int64_t draw = 0; draw < options.draws; ++draw) {
            at::Tensor noisy = x.contiguous().clone();
            for (int64_t i = 0; i < n; ++i) noise.disturb(scale, generators[i], row(noisy, i));
            kept += (target.labels(noisy) == y).to(at::kLong);
        }
    }
    return shares(kept, right, options.draws * std::ssize(kScales));
}

std::vector<double> augmentation_robustness(Target& target, const at::Tensor& x,
                                            const at::Tensor& y) {
    if (x.dim() != 4) {
        throw Error(ErrorCode::kUnsupported, "shifts and rotations are for images",
                    "use label-noise or label-boundary");
    }
    if (y.numel() != x.size(0))
        throw Error(ErrorCode::kInvalid, "label-only attacks need one label per example");
    constexpr int64_t kBilinear = 0, kBorder = 1;
    const at::Tensor right = (target.labels(x) == y).contiguous();
    at::Tensor kept = torch::zeros({x.size(0)}, at::kLong);
    const std::vector<at::Tensor> copies = image_copies(double(x.size(2)), double(x.size(3)));
    for (const at::Tensor& theta : copies) {
        const at::Tensor grid =
            at::affine_grid_generator(theta, {1, 1, x.size(2), x.size(3)}, false)
                .expand({x.size(0), x.size(2), x.size(3), 2});
        const at::Tensor copy = at::grid_sampler_2d(x, grid, kBilinear, kBorder, false);
        kept += (target.labels(copy.contiguous()) == y).to(at::kLong);
    }
    return shares(kept, right, std::ssize(copies));
}

std::vector<double> boundary_distances(Target& target, const at::Tensor& x, const at::Tensor& y,
                                       const at::Tensor& population,
                                       const LabelOnlyOptions& options) {
    check(x, y, population, options);
    std::vector<double> distances(x.size(0), -1);
    const at::Tensor rows = (target.labels(x) == y).nonzero().flatten();
    if (rows.numel() == 0) return distances;
    const Box box = options.box ? *options.box : box_of(x, population);
    check(x, box);
    EvasionOptions evasion{.norm = Norm::kL2,
                           .steps = options.steps,
                           .seed = options.seed + static_cast<uint64_t>(options.first)};
    evasion.lower = box.lower;
    evasion.upper = box.upper;
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
