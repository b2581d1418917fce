#include "ward/attack/internal/carlini_wagner_linf.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ward/attack/internal/descent_kernels.h"
#include "ward/attack/internal/margin_search.h"
#include "ward/attack/internal/nearest.h"
#include "ward/attack/internal/rows.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr double kLearningRate = 0.005;  // of the box
constexpr double kFirstWeight = 1e-3, kWeightFactor = 10, kLastWeight = 10;
constexpr double kTauFactor = 0.9;
constexpr double kLeastTau = 1.0 / 256;  // share of the box

// One row of the batch: a descent of one example with one tau and one c.
struct Descent {
    Descent(double first_tau, int64_t steps) : tau(first_tau), stagnation(steps) {}

    double tau, weight = kFirstWeight;
    int64_t step = 0;  // taken
    Stagnation stagnation;
};

enum class Next : int8_t {
    kStep,  // along the gradient that is known
    kLook,  // at the gradient first: the row has been set back
    kDone,
};

// All rows that are still under way.
struct Rows {
    Points points;
    at::Tensor owner, x;             // place of the example, input
    at::Tensor slope, mean, square;  // of the objective, moments of Adam
    at::Tensor start;                // x where the descents with this tau begin
    std::vector<Descent> descents;

    void restart(int64_t i, int64_t steps) {
        std::fill_n(row(mean, i), row_size(mean), 0.0f);
        std::fill_n(row(square, i), row_size(square), 0.0f);
        descents[i].step = 0;
        descents[i].stagnation = Stagnation(steps);
    }

    void drop(const std::vector<Next>& next) {
        at::Tensor stays = torch::empty({static_cast<int64_t>(next.size())}, at::kBool);
        std::vector<Descent> left;
        for (size_t i = 0; i < next.size(); ++i) {
            stays.data_ptr<bool>()[i] = next[i] != Next::kDone;
            if (next[i] != Next::kDone) left.push_back(descents[i]);
        }
        if (left.size() == descents.size()) return;
        keep_rows(stays, {&points.x, &points.y, &points.wanted, &owner, &x, &slope, &mean, &square,
                          &start});
        descents = std::move(left);
    }
};

class CarliniWagnerLinf : public Attack {
  public:
    explicit CarliniWagnerLinf(const EvasionOptions& options) : options_(options) {
        if (options_.steps == 0) options_.steps = 1000;
        if (options_.step_size == 0)
            options_.step_size = kLearningRate * (options_.upper - options_.lower);
    }

    std::string_view name() const override { return "cw"; }
    bool minimises_norm() const override { return true; }

    at::Tensor perturb(Target& target, const Points& points) override {
        Nearest nearest(points.x, Norm::kLinf);
        Rows rows = begin(points);
        while (!rows.descents.empty()) {
            const MarginPass pass = margin_gradient(target, rows.points, rows.x);
            nearest.offer_all(rows.points.fooled(pass.logits), rows.x, rows.owner);
            const auto n = static_cast<int64_t>(rows.descents.size());
            std::vector<Next> next(rows.descents.size());
            for (int64_t i = 0; i < n; ++i) {
                const double found = nearest.distance(rows.owner.data_ptr<int64_t>()[i]);
                next[i] = next_descent(found, pass.margin.data_ptr<float>()[i], i, rows);
            }
            for_rows(n, [&](int64_t i) {
                const bool active = pass.margin.data_ptr<float>()[i] < 0;
                if (next[i] == Next::kStep) update(pass.gradient, active, i, rows);
            });
            rows.drop(next);
        }
        return nearest.points();
    }

  private:
    Rows begin(const Points& points) const {
        Rows rows;
        rows.points = points;
        rows.owner = torch::arange(points.size());
        rows.x = points.x.clone();
        rows.start = points.x.clone();
        rows.slope = torch::empty_like(rows.x);
        rows.mean = torch::zeros_like(rows.x);
        rows.square = torch::zeros_like(rows.x);
        rows.descents.assign(static_cast<size_t>(points.size()),
                             {options_.upper - options_.lower, options_.steps});
        return rows;
    }

    // Looks at where row i is. A descent that has succeeded goes on with a smaller tau, and one
    // that is stuck begins again with a larger c.
    Next next_descent(double found, float margin, int64_t i, Rows& rows) const {
        Descent& descent = rows.descents[i];
        const int64_t n = row_size(rows.x);
        if (found <= descent.tau) {
            descent.tau = kTauFactor * found;
            std::copy_n(row(rows.x, i), n, row(rows.start, i));
            rows.restart(i, options_.steps);
            const bool enough = descent.tau < kLeastTau * (options_.upper - options_.lower);
            return enough ? Next::kDone : Next::kStep;
        }
        const bool stuck = descent.stagnation.due(descent.step) &&
                           descent.stagnation.reached(descent.step, objective(margin, i, rows));
        if (!stuck && descent.step < options_.steps) return Next::kStep;
        descent.weight *= kWeightFactor;
        if (descent.weight > kLastWeight * (1 + 1e-9)) return Next::kDone;
        std::copy_n(row(rows.start, i), n, row(rows.x, i));
        rows.restart(i, options_.steps);
        return Next::kLook;
    }

    static double objective(float margin, int64_t i, const Rows& rows) {
        const Descent& descent = rows.descents[i];
        const float *x = row(rows.x, i), *x0 = row(rows.points.x, i);
        double total = descent.weight * std::max(0.0, -double(margin));
        for (int64_t j = 0; j < row_size(rows.x); ++j)
            total += std::max(0.0, std::abs(double(x[j]) - x0[j]) - descent.tau);
        return total;
    }

    // One step on sum_j max(0, |x_j - x0_j| - tau) - c margin.
    void update(const at::Tensor& gradient, bool active, int64_t i, Rows& rows) const {
        Descent& descent = rows.descents[i];
        const AdamRates adam(options_.step_size, ++descent.step);
        const int64_t n = row_size(rows.x);
        const auto weight = static_cast<float>(active ? descent.weight : 0);
        float *x = row(rows.x, i), *slope = row(rows.slope, i);
        excess_slope(x, row(rows.points.x, i), row(gradient, i), weight,
                     static_cast<float>(descent.tau), slope, n);
        adam_move(adam, slope, row(rows.mean, i), row(rows.square, i), x, n);
        clip_row(static_cast<float>(options_.lower), static_cast<float>(options_.upper), x, n);
    }

    EvasionOptions options_;
};

}  // namespace

std::unique_ptr<Attack> make_carlini_wagner_linf(const EvasionOptions& options) {
    return std::make_unique<CarliniWagnerLinf>(options);
}

}  // namespace ward::attack
