#include "ward/attack/deepfool.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ward/attack/internal/rows.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr int64_t kCandidates = 10;  // classes whose boundaries are looked at
constexpr float kOvershoot = 0.02f;
constexpr int64_t kPlainSteps = 10;  // then steps look at the box
constexpr double kLeastGap = 1e-3;   // of logits: beyond the boundary by more than they round

class DeepFool : public Attack {
  public:
    explicit DeepFool(const EvasionOptions& options) : options_(options), ball_(ball_of(options)) {
        if (options_.norm == Norm::kL1)
            throw Error(ErrorCode::kUnsupported, "deepfool knows the norms l2 and linf",
                        "use fab-t for l1");
        if (options_.steps == 0) options_.steps = 50;
    }

    std::string_view name() const override { return "deepfool"; }
    bool minimises_norm() const override { return true; }

    at::Tensor perturb(Target& target, const Points& points) override {
        if (points.targeted())
            throw Error(ErrorCode::kUnsupported, "deepfool looks for any other class",
                        "use pgd or apgd-ce for a class of your choice");
        Points left = points;
        at::Tensor out = points.x.clone(), x = points.x.clone();
        at::Tensor walk = x.clone();  // x without the overshoot
        at::Tensor owner = torch::arange(points.size());
        at::Tensor done = torch::zeros({points.size()}, at::kBool);
        for (int64_t step = 0; step < options_.steps && owner.numel() > 0; ++step) {
            auto jacobian = target.jacobian(x, candidates_with(left.y));
            const at::Tensor keep = settle(left.fooled(jacobian.logits), x, owner, done, out);
            keep_rows(keep, {&x, &walk, &owner, &left.x, &left.y, &jacobian.logits,
                             &jacobian.classes, &jacobian.gradients});
            for_rows(x.size(0), [&](int64_t i) {
                move(jacobian, i, step >= kPlainSteps, x, walk);
                overshoot(row(left.x, i), row(walk, i), row(x, i), row_size(x));
            });
        }
        if (owner.numel() > 0) settle(left.fooled(target.logits(x)), x, owner, done, out);
        return out;
    }

  private:
    // The right class first, then the likeliest others.
    static Target::Choice candidates_with(const at::Tensor& y) {
        return [y, first = int64_t{0}](const at::Tensor& logits) mutable {
            const int64_t rows = logits.size(0);
            const at::Tensor right = y.narrow(0, first, rows).unsqueeze(1);
            first += rows;
            const int64_t k = std::min(kCandidates, logits.size(1));
            const at::Tensor raised =
                logits.scatter(1, right, std::numeric_limits<float>::infinity());
            return std::get<1>(raised.topk(k, 1)).contiguous();
        };
    }

    // x = center + 1.02 (walk - center): what the paper does once at the end is done at every step,
    // so that the decision is asked at the point handed back.
    void overshoot(const float* center, const float* walk, float* x, int64_t n) const {
        for (int64_t j = 0; j < n; ++j)
            x[j] = std::clamp(center[j] + (1 + kOvershoot) * (walk[j] - center[j]), ball_.lower,
                              ball_.upper);
    }

    // Adds to walk the least step that takes x over the boundary nearest by first order.
    void move(const Target::Jacobian& jacobian, int64_t i, bool boxed, const at::Tensor& x,
              at::Tensor& walk) const {
        const int64_t n = row_size(x), k = jacobian.classes.size(1);
        const int64_t classes = jacobian.logits.size(1);
        const float* z = jacobian.logits.data_ptr<float>() + i * classes;
        const int64_t* chosen = jacobian.classes.data_ptr<int64_t>() + i * k;
        const float* g = jacobian.gradients.data_ptr<float>() + i * k * n;
        const Norm dual = ball_.norm == Norm::kLinf ? Norm::kL1 : Norm::kL2;
        std::vector<float> w(n), normal(n), step(n);
        double least = std::numeric_limits<double>::infinity(), gap = 0;
        for (int64_t c = 1; c < k; ++c) {
            for (int64_t j = 0; j < n; ++j) w[j] = g[c * n + j] - g[j];
            const double here = std::abs(z[chosen[c]] - z[chosen[0]]) + kLeastGap;
            const double distance = here / (row_norm(w.data(), n, dual) + 1e-12);
            if (!(distance < least)) continue;
            least = distance;
            gap = here;
            normal = w;
        }
        const float* here = row(x, i);
        const double plane = dot(normal.data(), here, n) + gap;
        Ball room = ball_;
        if (!boxed) {  // the paper's step: as if there were no box
            room.lower = -std::numeric_limits<float>::max() / 4;
            room.upper = std::numeric_limits<float>::max() / 4;
        }
        project_on_plane(room, here, normal.data(), plane, step.data(), n);
        for (int64_t j = 0; j < n; ++j)
            row(walk, i)[j] = std::clamp(row(walk, i)[j] + step[j], ball_.lower, ball_.upper);
    }

    EvasionOptions options_;
    Ball ball_;
};

}  // namespace

std::unique_ptr<Attack> make_deepfool(const EvasionOptions& options) {
    return std::make_unique<DeepFool>(options);
}

}  // namespace ward::attack
