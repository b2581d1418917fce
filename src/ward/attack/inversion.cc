#include "ward/attack/inversion.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ward/attack/internal/rows.h"
#include "ward/core/error.h"
#include "ward/core/progress.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr int64_t kSteps = 1000;
constexpr double kStepShare = 0.1;  // of the box
constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kAdamEpsilon = 1e-8;

void check(const std::vector<int64_t>& labels, const InversionOptions& options) {
    const auto names = inversion_names();
    if (std::find(names.begin(), names.end(), options.attack) == names.end()) {
        throw Error(ErrorCode::kUsage, "there is no inversion " + options.attack,
                    "choose miface or image-prior");
    }
    if (labels.empty() || !(options.lower < options.upper) || options.steps < 0 ||
        !(options.step_size >= 0) || options.patience < 1 || !(options.enough > 0) ||
        !(options.total_variation >= 0) || !(options.quiet >= 0) || options.shift < 0) {
        throw Error(ErrorCode::kUsage,
                    "inversion needs classes, lower < upper, patience and confidence > 0, and "
                    "steps, step size, weights and shift >= 0");
    }
}

// Derivative of log p(class) by the logits, per row.
at::Tensor log_share_slope(const at::Tensor& logits, const at::Tensor& y) {
    return at::one_hot(y, logits.size(1)).to(at::kFloat) - at::softmax(logits, 1);
}

at::Tensor confidence(const at::Tensor& logits, const at::Tensor& y) {
    return at::softmax(logits, 1).gather(1, y.unsqueeze(1)).squeeze(1);
}

// The best point of each class so far.
class Best {
  public:
    explicit Best(const at::Tensor& x)
        : x_(x.clone()), value_(static_cast<size_t>(x.size(0)), -1), step_(value_.size()) {}

    void offer(const at::Tensor& x, const at::Tensor& values, int64_t step) {
        for (int64_t i = 0; i < x.size(0); ++i) {
            const auto value = static_cast<double>(values[i].item<float>());
            if (value <= value_[static_cast<size_t>(i)]) continue;
            value_[static_cast<size_t>(i)] = value;
            step_[static_cast<size_t>(i)] = step;
            x_[i].copy_(x[i]);
        }
    }

    std::vector<InvertedClass> result(const std::vector<int64_t>& labels) const {
        std::vector<InvertedClass> list;
        for (size_t i = 0; i < labels.size(); ++i)
            list.push_back({labels[i], x_[static_cast<int64_t>(i)].clone(), value_[i], step_[i]});
        return list;
    }

  private:
    at::Tensor x_;
    std::vector<double> value_;
    std::vector<int64_t> step_;
};

class Inversion {
  public:
    Inversion(Target& target, const std::vector<int64_t>& shape, const std::vector<int64_t>& labels,
              const InversionOptions& options)
        : target_(target),
          labels_(labels),
          options_(options),
          y_(torch::tensor(labels, at::kLong)),
          generator_(options.seed) {
        std::vector<int64_t> all = shape;
        all.insert(all.begin(), static_cast<int64_t>(labels.size()));
        start_ = torch::full(all, 0.5 * (options.lower + options.upper), at::kFloat);
        if (options_.steps == 0) options_.steps = kSteps;
        if (options_.step_size == 0) options_.step_size = kStepShare;
        step_ = options_.step_size * (options_.upper - options_.lower);
    }

    // Classes are independent; a class that has ended stands still while others go on.
    std::vector<InvertedClass> miface() {
        at::Tensor x = start_.clone();
        const auto n = static_cast<size_t>(x.size(0));
        std::vector<std::vector<double>> costs(n);
        at::Tensor moving = torch::ones({x.size(0)}, at::kBool);
        Best best(x);
        Progress progress("invert the model", options_.steps, "steps");
        for (int64_t step = 0; step <= options_.steps && moving.any().item<bool>(); ++step) {
            at::Tensor shares;
            const auto pass = target_.gradient(x, [&](const at::Tensor& logits, int64_t first) {
                const at::Tensor y = y_.narrow(0, first, logits.size(0));
                const at::Tensor p = confidence(logits, y);
                shares = first == 0 ? p : at::cat({shares, p});
                // d(1 - p) / dz = -p (onehot - softmax); its sign and direction, not its size,
                // which vanishes where the model is sure of another class.
                return -log_share_slope(logits, y);
            });
            best.offer(x, shares, step);
            for (size_t i = 0; i < n; ++i) {
                const double cost =
                    1 - static_cast<double>(shares[static_cast<int64_t>(i)].item<float>());
                if (stands_still(costs[i], cost)) moving[static_cast<int64_t>(i)] = false;
                costs[i].push_back(cost);
            }
            const at::Tensor norm = row_norm(pass.gradient);
            const at::Tensor go = moving.to(at::kFloat).view(norm.sizes());
            x = (x - go * step_ * pass.gradient / norm.clamp_min(1e-20))
                    .clamp(options_.lower, options_.upper);
            progress.update(step);
        }
        progress.finish();
        return best.result(labels_);
    }

    std::vector<InvertedClass> image_prior() {
        at::Tensor x = start_ + 0.01 * (options_.upper - options_.lower) * noise();
        at::Tensor first = torch::zeros_like(x), second = torch::zeros_like(x);
        Progress progress("invert the model", options_.steps, "steps");
        for (int64_t step = 0; step < options_.steps; ++step) {
            const auto [down, right] = random_shift(x);
            const at::Tensor moved = x.dim() == 4 ? x.roll({down, right}, {2, 3}) : x;
            at::Tensor slope = target_
                                   .gradient(moved,
                                             [&](const at::Tensor& logits, int64_t row) {
                                                 return -log_share_slope(
                                                     logits, y_.narrow(0, row, logits.size(0)));
                                             })
                                   .gradient;
            if (x.dim() == 4) slope = slope.roll({-down, -right}, {2, 3});
            slope = slope + prior_slope(x);
            first = kBeta1 * first + (1 - kBeta1) * slope;
            second = kBeta2 * second + (1 - kBeta2) * slope.square();
            const auto t = static_cast<double>(step + 1);
            const double rate =
                step_ * (1 - static_cast<double>(step) / static_cast<double>(options_.steps));
            x = (x - rate * first / (1 - std::pow(kBeta1, t)) /
                         ((second / (1 - std::pow(kBeta2, t))).sqrt() + kAdamEpsilon))
                    .clamp(options_.lower, options_.upper);
            progress.update(step + 1);
        }
        progress.finish();
        Best best(x);
        best.offer(x, confidence(target_.logits(x), y_), options_.steps);
        return best.result(labels_);
    }

  private:
    bool stands_still(const std::vector<double>& costs, double cost) const {
        if (cost <= 1 - options_.enough) return true;
        const auto patience = static_cast<size_t>(options_.patience);
        if (costs.size() < patience) return false;
        return cost >= *std::max_element(costs.end() - options_.patience, costs.end());
    }

    static at::Tensor row_norm(const at::Tensor& x) {
        std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
        shape[0] = x.size(0);
        return x.flatten(1).norm(2, 1).view(shape);
    }

    at::Tensor noise() {
        at::Tensor values = torch::empty(start_.sizes());
        float* first = values.data_ptr<float>();
        for (int64_t i = 0; i < values.numel(); ++i)
            first[i] = static_cast<float>(gaussian(generator_));
        return values;
    }

    std::pair<int64_t, int64_t> random_shift(const at::Tensor& x) {
        if (x.dim() != 4 || options_.shift == 0) return {0, 0};
        const int64_t width = 2 * options_.shift + 1;
        const int64_t down = below(generator_, width) - options_.shift;
        return {down, below(generator_, width) - options_.shift};
    }

    // Of total variation (anisotropic, smoothed) and the squared distance from the middle.
    at::Tensor prior_slope(const at::Tensor& x) const {
        at::Tensor slope = 2 * options_.quiet * (x - start_);
        if (x.dim() != 4) return slope;
        for (const int64_t dim : {int64_t{2}, int64_t{3}}) {
            const int64_t n = x.size(dim);
            if (n < 2) continue;
            const at::Tensor d = x.narrow(dim, 1, n - 1) - x.narrow(dim, 0, n - 1);
            const at::Tensor s =
                options_.total_variation * at::tanh(d / (0.02 * (options_.upper - options_.lower)));
            slope.narrow(dim, 1, n - 1).add_(s);
            slope.narrow(dim, 0, n - 1).sub_(s);
        }
        return slope;
    }

    Target& target_;
    std::vector<int64_t> labels_;
    InversionOptions options_;
    at::Tensor y_, start_;
    Generator generator_;
    double step_ = 0;
};

}  // namespace

std::vector<std::string> inversion_names() { return {"miface", "image-prior"}; }

std::vector<InvertedClass> invert_classes(Target& target, const std::vector<int64_t>& shape,
                                          const std::vector<int64_t>& labels,
                                          const InversionOptions& options) {
    check(labels, options);
    std::vector<int64_t> one = shape;
    one.insert(one.begin(), 1);
    const at::Tensor middle = torch::full(one, 0.5 * (options.lower + options.upper), at::kFloat);
    const int64_t classes = target.logits(middle).size(1);
    for (const int64_t label : labels) {
        if (label >= 0 && label < classes) continue;
        throw Error(ErrorCode::kUsage, "classes must be between 0 and " +
                                           std::to_string(classes - 1) + ", got " +
                                           std::to_string(label));
    }
    Inversion inversion(target, shape, labels, options);
    return options.attack == "miface" ? inversion.miface() : inversion.image_prior();
}

double ssim(const at::Tensor& a, const at::Tensor& b, double width) {
    if (a.dim() != 3 || a.sizes() != b.sizes())
        throw Error(ErrorCode::kInvalid, "ssim compares two images {channels, height, width}");
    const int64_t side = std::min({int64_t{11}, a.size(1), a.size(2)});
    const at::Tensor place = torch::arange(side, at::kDouble) - 0.5 * static_cast<double>(side - 1);
    const at::Tensor line = at::exp(-place.square() / (2 * 1.5 * 1.5));
    const at::Tensor window = (line / line.sum()).outer(line / line.sum()).view({1, 1, side, side});
    const auto mean = [&](const at::Tensor& x) { return at::conv2d(x.unsqueeze(1), window); };
    const at::Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
    const at::Tensor mx = mean(x), my = mean(y);
    const at::Tensor vx = mean(x * x) - mx * mx, vy = mean(y * y) - my * my;
    const at::Tensor cov = mean(x * y) - mx * my;
    const double c1 = std::pow(0.01 * width, 2), c2 = std::pow(0.03 * width, 2);
    return (((2 * mx * my + c1) * (2 * cov + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2)))
        .mean()
        .item<double>();
}

}  // namespace ward::attack
