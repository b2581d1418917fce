#include "ward/attack/ead.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ward/attack/internal/margin_search.h"
#include "ward/attack/internal/nearest.h"
#include "ward/attack/internal/rows.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr double kFirstWeight = 1e-3;
constexpr double kStepSize = 0.01;
constexpr double kBeta = 1e-2;  // of the L1 norm; also the shrinkage, in shares of the box

class Ead : public Attack {
  public:
    explicit Ead(const EvasionOptions& options) : options_(options) {
        if (options_.norm != Norm::kL1)
            throw Error(ErrorCode::kUnsupported, "ead knows the norm l1 only",
                        "use cw for l2 and linf");
        if (options_.steps == 0) options_.steps = 1000;
        if (options_.restarts == 0) options_.restarts = 9;
        if (options_.step_size == 0) options_.step_size = kStepSize;
    }

    std::string_view name() const override { return "ead"; }
    bool minimises_norm() const override { return true; }

    at::Tensor perturb(Target& target, const Points& points) override {
        Nearest nearest(points.x, Norm::kL1);
        search_weights(points.size(), kFirstWeight, options_.restarts,
                       [&](const std::vector<MarginWeight>& weights) {
                           return descend(target, points, weights, nearest);
                       });
        return nearest.points();
    }

  private:
    std::vector<bool> descend(Target& target, const Points& points,
                              const std::vector<MarginWeight>& weights, Nearest& nearest) const {
        const int64_t n = points.size();
        at::Tensor x = points.x.clone(), ahead = points.x.clone();
        const at::Tensor owner = torch::arange(n);
        std::vector<bool> ever(static_cast<size_t>(n), false);
        Stagnation stagnation(options_.steps);
        for (int64_t step = 1; step <= options_.steps; ++step) {
            const MarginPass pass = margin_gradient(target, points, ahead);
            const float* margin = pass.margin.data_ptr<float>();
            const double done = double(step - 1) / double(options_.steps);
            for_rows(n, [&](int64_t i) {
                const double weight = margin[i] < 0 ? weights[i].value() : 0;
                update(points.x, pass.gradient, weight, std::sqrt(1 - done), step, i, x, ahead);
            });
            const at::Tensor logits = target.logits(x);
            const at::Tensor fooled = points.fooled(logits).contiguous();
            nearest.offer_all(fooled, x, owner);
            for (int64_t i = 0; i < n; ++i)
                if (fooled.data_ptr<bool>()[i]) ever[i] = true;
            if (stagnation.reached(step, total(points, weights, x, margin_of(points, logits))))
                break;
        }
        return ever;
    }

    static double total(const Points& points, const std::vector<MarginWeight>& weights,
                        const at::Tensor& x, const at::Tensor& margin) {
        double sum = 0;
        for (int64_t i = 0; i < x.size(0); ++i) {
            const double l2 = row_distance(row(x, i), row(points.x, i), row_size(x), Norm::kL2);
            const double l1 = row_distance(row(x, i), row(points.x, i), row_size(x), Norm::kL1);
            sum += l2 * l2 + kBeta * l1 +
                   weights[i].value() * std::max(0.0, -double(margin.data_ptr<float>()[i]));
        }
        return sum;
    }

    // A gradient step from `ahead`, shrunk towards x0 and into the box: the new x; `ahead` then is
    // beyond it by the momentum.
    void update(const at::Tensor& center, const at::Tensor& gradient, double weight, double decay,
                int64_t step, int64_t i, at::Tensor& x, at::Tensor& ahead) const {
        const float *x0 = row(center, i), *g = row(gradient, i);
        float *now = row(x, i), *next = row(ahead, i);
        const double rate = options_.step_size * decay;
        const double shrink = kBeta * (options_.upper - options_.lower);
        const double momentum = double(step) / double(step + 3);
        for (int64_t j = 0; j < row_size(x); ++j) {
            const double slope = 2 * (double(next[j]) - x0[j]) - weight * g[j];
            const double moved = next[j] - rate * slope - x0[j];
            const double left = std::max(0.0, std::abs(moved) - shrink);
            const double to =
                std::clamp(x0[j] + (moved > 0 ? left : -left), options_.lower, options_.upper);
            next[j] = static_cast<float>(to + momentum * (to - now[j]));
            now[j] = static_cast<float>(to);
        }
    }

    EvasionOptions options_;
};

}  // namespace

std::unique_ptr<Attack> make_ead(const EvasionOptions& options) {
    return std::make_unique<Ead>(options);
}

}  // namespace ward::attack
