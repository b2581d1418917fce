#include "ward/attack/carlini_wagner.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ward/attack/internal/losses.h"
#include "ward/attack/internal/nearest.h"
#include "ward/attack/internal/rows.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr double kFirstWeight = 1e-3;
constexpr double kMostWeight = 1e10;
constexpr double kLearningRate = 0.01;
constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kTiny = 1e-8;  // Adam
constexpr double kInside = 0.999999;  // keeps the inverse of tanh finite at the edges of the box

// The constant c of one example between what was too little and what was enough.
struct Weight {
    double value = kFirstWeight, low = 0, high = kMostWeight;

    void update(bool fooled) {
        (fooled ? high : low) = fooled ? std::min(high, value) : std::max(low, value);
        value = high < kMostWeight ? (low + high) / 2 : value * 10;
    }
};

class CarliniWagner : public Attack {
  public:
    explicit CarliniWagner(const EvasionOptions& options) : options_(options) {
        if (options_.norm != Norm::kL2)
            throw Error(ErrorCode::kUnsupported, "cw knows the norm l2 only",
                        "use fab-t or apgd-ce for other norms");
        if (options_.steps == 0) options_.steps = 1000;
        if (options_.restarts == 0) options_.restarts = 9;
        if (options_.step_size == 0) options_.step_size = kLearningRate;
    }

    std::string_view name() const override { return "cw"; }
    bool minimises_norm() const override { return true; }

    at::Tensor perturb(Target& target, const Points& points) override {
        Nearest nearest(points.x, Norm::kL2);
        std::vector<Weight> weights(points.size());
        for (int64_t round = 0; round < options_.restarts; ++round) {
            const std::vector<bool> fooled = descend(target, points, weights, nearest);
            for (size_t i = 0; i < weights.size(); ++i) weights[i].update(fooled[i]);
        }
        return nearest.points();
    }

  private:
    struct Walk {
        at::Tensor w, x, mean, square;  // tanh space, input, moments of Adam
    };

    float from_w(float w) const {
        const double half = (options_.upper - options_.lower) / 2;
        return static_cast<float>(options_.lower + half * (std::tanh(double(w)) + 1));
    }

    Walk begin(const Points& points) const {
        const double half = (options_.upper - options_.lower) / 2;
        const at::Tensor unit = (points.x - options_.lower) / half - 1;
        Walk walk;
        walk.w = at::atanh(unit * kInside).contiguous();
        walk.x = points.x.clone();
        walk.mean = torch::zeros_like(walk.w);
        walk.square = torch::zeros_like(walk.w);
        return walk;
    }

    std::vector<bool> descend(Target& target, const Points& points,
                              const std::vector<Weight>& weights, Nearest& nearest) const {
        const int64_t n = points.size(), patience = std::max<int64_t>(1, options_.steps / 10);
        Walk walk = begin(points);
        const at::Tensor owner = torch::arange(n);
        std::vector<bool> ever(n, false);
        double before = std::numeric_limits<double>::infinity();
        for (int64_t step = 1; step <= options_.steps; ++step) {
            at::Tensor margin = torch::empty({n});
            const auto pass = margin_pass(target, points, walk.x, margin);
            const at::Tensor fooled = points.fooled(pass.logits).contiguous();
            nearest.offer_all(fooled, walk.x, owner);
            double total = 0;
            for (int64_t i = 0; i < n; ++i) {
                if (fooled.data_ptr<bool>()[i]) ever[i] = true;
                const double d =
                    row_distance(row(walk.x, i), row(points.x, i), row_size(walk.x), Norm::kL2);
                total +=
                    d * d + weights[i].value * std::max(0.0, -double(margin.data_ptr<float>()[i]));
            }
            if (step % patience == 0) {
                if (total > before * 0.9999) break;
                before = total;
            }
            for_rows(n, [&](int64_t i) {
                const bool active = margin.data_ptr<float>()[i] < 0;
                update(points.x, pass.gradient, active ? weights[i].value : 0, step, i, walk);
            });
        }
        return ever;
    }

    static Target::Pass margin_pass(Target& target, const Points& points, const at::Tensor& x,
                                    at::Tensor& margin) {
        return target.gradient(x, [&](const at::Tensor& logits, int64_t first) {
            const int64_t rows = logits.size(0);
            const LossRows loss = evaluate_loss(
                Loss::kMargin, logits, points.y.narrow(0, first, rows),
                points.targeted() ? points.wanted.narrow(0, first, rows) : at::Tensor());
            margin.narrow(0, first, rows).copy_(loss.value);
            return loss.cotangent;
        });
    }

    // One step of Adam on |x(w) - x0|^2 - weight margin(x(w)).
    void update(const at::Tensor& center, const at::Tensor& gradient, double weight, int64_t step,
                int64_t i, Walk& walk) const {
        const int64_t n = row_size(walk.w);
        const float *x0 = row(center, i), *g = row(gradient, i);
        float *w = row(walk.w, i), *x = row(walk.x, i);
        float *mean = row(walk.mean, i), *square = row(walk.square, i);
        const double half = (options_.upper - options_.lower) / 2;
        const double bias1 = 1 - std::pow(kBeta1, double(step));
        const double bias2 = 1 - std::pow(kBeta2, double(step));
        for (int64_t j = 0; j < n; ++j) {
            const double t = (x[j] - options_.lower) / half - 1;
            const double slope = half * (1 - t * t);
            const double d = slope * (2 * (double(x[j]) - x0[j]) - weight * g[j]);
            mean[j] = static_cast<float>(kBeta1 * mean[j] + (1 - kBeta1) * d);
            square[j] = static_cast<float>(kBeta2 * square[j] + (1 - kBeta2) * d * d);
            w[j] -= static_cast<float>(options_.step_size * (mean[j] / bias1) /
                                       (std::sqrt(square[j] / bias2) + kTiny));
            x[j] = from_w(w[j]);
        }
    }

    EvasionOptions options_;
};

}  // namespace

std::unique_ptr<Attack> make_carlini_wagner(const EvasionOptions& options) {
    return std::make_unique<CarliniWagner>(options);
}

}  // namespace ward::attack
