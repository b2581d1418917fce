#include "ward/attack/carlini_wagner.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ward/attack/internal/carlini_wagner_linf.h"
#include "ward/attack/internal/descent_kernels.h"
#include "ward/attack/internal/margin_search.h"
#include "ward/attack/internal/nearest.h"
#include "ward/attack/internal/rows.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr double kFirstWeight = 1e-3;
constexpr double kLearningRate = 0.01;

class CarliniWagner : public Attack {
  public:
    explicit CarliniWagner(const EvasionOptions& options) : options_(options) {
        if (options_.steps == 0) options_.steps = 1000;
        if (options_.restarts == 0) options_.restarts = 9;
        if (options_.step_size == 0) options_.step_size = kLearningRate;
    }

    std::string_view name() const override { return "cw"; }
    bool minimises_norm() const override { return true; }

    at::Tensor perturb(Target& target, const Points& points) override {
        Nearest nearest(points.x, Norm::kL2);
        search_weights(points.size(), kFirstWeight, options_.restarts,
                       [&](const std::vector<MarginWeight>& weights) {
                           return descend(target, points, weights, nearest);
                       });
        return nearest.points();
    }

  private:
    struct Walk {
        at::Tensor w, x, steep;          // tanh space, input, derivative of this by that
        at::Tensor slope, mean, square;  // of the objective in tanh space, moments of Adam
    };

    Walk begin(const Points& points) const {
        Walk walk;
        walk.w = from_inputs(points.x, options_.lower, options_.upper);
        walk.x = torch::empty_like(walk.w);
        walk.steep = torch::empty_like(walk.w);
        walk.slope = torch::empty_like(walk.w);
        walk.mean = torch::zeros_like(walk.w);
        walk.square = torch::zeros_like(walk.w);
        for_rows(points.size(), [&](int64_t i) { to_inputs(i, walk); });
        return walk;
    }

    void to_inputs(int64_t i, Walk& walk) const {
        tanh_inputs(row(walk.w, i), static_cast<float>(options_.lower),
                    static_cast<float>(options_.upper - options_.lower), row(walk.x, i),
                    row(walk.steep, i), row_size(walk.x));
    }

    std::vector<bool> descend(Target& target, const Points& points,
                              const std::vector<MarginWeight>& weights, Nearest& nearest) const {
        const int64_t n = points.size();
        Walk walk = begin(points);
        const at::Tensor owner = torch::arange(n);
        std::vector<bool> ever(static_cast<size_t>(n), false);
        Stagnation stagnation(options_.steps);
        for (int64_t step = 1; step <= options_.steps; ++step) {
            const MarginPass pass = margin_gradient(target, points, walk.x);
            const at::Tensor fooled = points.fooled(pass.logits).contiguous();
            nearest.offer_all(fooled, walk.x, owner);
            const float* margin = pass.margin.data_ptr<float>();
            double total = 0;
            for (int64_t i = 0; i < n; ++i) {
                if (fooled.data_ptr<bool>()[i]) ever[i] = true;
                const double d =
                    row_distance(row(walk.x, i), row(points.x, i), row_size(walk.x), Norm::kL2);
                total += d * d + weights[i].value() * std::max(0.0, -double(margin[i]));
            }
            if (stagnation.reached(step, total)) break;
            const AdamRates adam(options_.step_size, step);
            for_rows(n, [&](int64_t i) {
                const double weight = margin[i] < 0 ? weights[i].value() : 0;
                update(points.x, pass.gradient, weight, adam, i, walk);
            });
        }
        return ever;
    }

    // One step on |x(w) - x0|^2 - weight margin(x(w)).
    void update(const at::Tensor& center, const at::Tensor& gradient, double weight,
                const AdamRates& adam, int64_t i, Walk& walk) const {
        const int64_t n = row_size(walk.w);
        squared_distance_slope(row(walk.x, i), row(center, i), row(gradient, i),
                               static_cast<float>(weight), row(walk.steep, i), row(walk.slope, i),
                               n);
        adam_move(adam, row(walk.slope, i), row(walk.mean, i), row(walk.square, i), row(walk.w, i),
                  n);
        to_inputs(i, walk);
    }

    EvasionOptions options_;
};

}  // namespace

std::unique_ptr<Attack> make_carlini_wagner(const EvasionOptions& options) {
    if (options.norm == Norm::kL1)
        throw Error(ErrorCode::kUnsupported, "cw knows the norms l2 and linf",
                    "use ead, fmn or apgd-ce for l1");
    if (options.norm == Norm::kLinf) return make_carlini_wagner_linf(options);
    return std::make_unique<CarliniWagner>(options);
}

}  // namespace ward::attack
