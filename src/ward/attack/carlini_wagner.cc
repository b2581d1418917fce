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

constexpr double kFirstRate = 0.2, kRateFactor = 0.5;  // of the box; from search to search
constexpr double kWeightFactor = 2;                    // over what a linear model would need

// One row of the batch: the searches of one example, one constant after the other.
struct Search {
    explicit Search(int64_t steps) : plateau(steps) {}

    MarginWeight weight{0};
    int64_t round = 0, step = 0;
    int64_t last_hit = -1;  // step of this search whose point fooled
    Plateau plateau;
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
    std::vector<Search> searches;

    void drop(const std::vector<Next>& next) {
        at::Tensor stays = torch::empty({static_cast<int64_t>(next.size())}, at::kBool);
        std::vector<Search> left;
        for (size_t i = 0; i < next.size(); ++i) {
            stays.data_ptr<bool>()[i] = next[i] != Next::kDone;
            if (next[i] != Next::kDone) left.push_back(searches[i]);
        }
        if (left.size() == searches.size()) return;
        keep_rows(stays,
                  {&points.x, &points.y, &points.wanted, &owner, &x, &slope, &mean, &square});
        searches = std::move(left);
    }
};

class CarliniWagner : public Attack {
  public:
    explicit CarliniWagner(const EvasionOptions& options) : options_(options) {
        if (options_.steps == 0) options_.steps = 200;
        if (options_.restarts == 0) options_.restarts = 9;
        if (options_.step_size == 0)
            options_.step_size = kFirstRate * (options_.upper - options_.lower);
    }

    std::string_view name() const override { return "cw"; }
    bool minimises_norm() const override { return true; }

    at::Tensor perturb(Target& target, const Points& points) override {
        Nearest nearest(points.x, Norm::kL2);
        Rows rows = begin(points);
        while (!rows.searches.empty()) {
            const MarginPass pass = margin_gradient(target, rows.points, rows.x);
            const at::Tensor fooled = rows.points.fooled(pass.logits).contiguous();
            nearest.offer_all(fooled, rows.x, rows.owner);
            const auto n = static_cast<int64_t>(rows.searches.size());
            std::vector<Next> next(rows.searches.size());
            for (int64_t i = 0; i < n; ++i)
                next[i] = look(pass, fooled.data_ptr<bool>()[i], nearest, i, rows);
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
        rows.slope = torch::empty_like(rows.x);
        rows.mean = torch::zeros_like(rows.x);
        rows.square = torch::zeros_like(rows.x);
        rows.searches.assign(static_cast<size_t>(points.size()), Search(options_.steps));
        return rows;
    }

    // Looks at where row i is; at the end of a search begins the next one.
    Next look(const MarginPass& pass, bool fooled, const Nearest& nearest, int64_t i,
              Rows& rows) const {
        Search& search = rows.searches[i];
        const double lack = std::max(0.0, -double(pass.margin.data_ptr<float>()[i]));
        if (search.round == 0 && search.step == 0) search.weight = first_weight(lack, pass, i);
        if (fooled) search.last_hit = search.step;
        const double d =
            row_distance(row(rows.x, i), row(rows.points.x, i), row_size(rows.x), Norm::kL2);
        const bool flat = search.plateau.reached(search.step, d * d + search.weight.value() * lack);
        if (!flat && search.step < options_.steps) return Next::kStep;
        search.weight.update(search.last_hit >= 0 &&
                             search.last_hit >= search.step - search.plateau.window());
        if (++search.round >= options_.restarts) return Next::kDone;
        begin_search(nearest, i, rows);
        return Next::kLook;
    }

    // What makes the boundary the least point if margin and distance are what they look from the
    // example, with some to spare: there 2 d = c |gradient| and d |gradient| = lack.
    static MarginWeight first_weight(double lack, const MarginPass& pass, int64_t i) {
        const double slope = row_norm(row(pass.gradient, i), row_size(pass.gradient), Norm::kL2);
        const double weight = slope > 0 ? kWeightFactor * 2 * lack / (slope * slope) : 1;
        return MarginWeight(std::clamp(weight, 1e-6, 1e6));
    }

    // From the nearest point that fools; from the example where none does yet.
    void begin_search(const Nearest& nearest, int64_t i, Rows& rows) const {
        Search& search = rows.searches[i];
        const int64_t owner = rows.owner.data_ptr<int64_t>()[i], n = row_size(rows.x);
        std::copy_n(row(nearest.points(), owner), n, row(rows.x, i));
        std::fill_n(row(rows.mean, i), n, 0.0f);
        std::fill_n(row(rows.square, i), n, 0.0f);
        search.step = 0;
        search.last_hit = -1;
        search.plateau = Plateau(options_.steps);
    }

    // One step on |x - x0|^2 - weight margin(x).
    void update(const at::Tensor& gradient, bool active, int64_t i, Rows& rows) const {
        Search& search = rows.searches[i];
        const AdamRates adam(options_.step_size * std::pow(kRateFactor, double(search.round)),
                             ++search.step);
        const int64_t n = row_size(rows.x);
        const auto weight = static_cast<float>(active ? search.weight.value() : 0);
        float *x = row(rows.x, i), *slope = row(rows.slope, i);
        squared_distance_slope(x, row(rows.points.x, i), row(gradient, i), weight, slope, n);
        adam_move(adam, slope, row(rows.mean, i), row(rows.square, i), x, n);
        clip_row(static_cast<float>(options_.lower), static_cast<float>(options_.upper), x, n);
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
