#include "ward/attack/ddn.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ward/attack/internal/eot.h"
#include "ward/attack/internal/nearest.h"
#include "ward/attack/internal/rows.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr double kGamma = 0.05;       // the radius changes by this share
constexpr double kFirstRadius = 1.0;  // for inputs in [0, 1]
constexpr double kLastStep = 0.01;

class Ddn : public Attack {
  public:
    explicit Ddn(const EvasionOptions& options) : options_(options), ball_(ball_of(options)) {
        if (options_.norm != Norm::kL2)
            throw Error(ErrorCode::kUnsupported, "ddn knows the norm l2 only",
                        "use fmn or fab-t for other norms");
        if (options_.steps == 0) options_.steps = 100;
    }

    std::string_view name() const override { return "ddn"; }
    bool minimises_norm() const override { return true; }

    at::Tensor perturb(Target& target, const Points& points) override {
        Nearest nearest(points.x, Norm::kL2);
        at::Tensor x = points.x.clone();
        const at::Tensor owner = torch::arange(points.size());
        std::vector<double> radius(points.size(), kFirstRadius * (options_.upper - options_.lower));
        for (int64_t step = 0; step < options_.steps; ++step) {
            const auto pass = mean_gradient(target, x, Loss::kCrossEntropy, points.y, points.wanted,
                                            options_.eot);
            const at::Tensor fooled = points.fooled(pass.logits).contiguous();
            nearest.offer_all(fooled, x, owner);
            const double turn = M_PI * double(step) / double(options_.steps);
            const double length = kLastStep + (1 - kLastStep) * (1 + std::cos(turn)) / 2;
            for_rows(x.size(0), [&](int64_t i) {
                radius[i] *= fooled.data_ptr<bool>()[i] ? 1 - kGamma : 1 + kGamma;
                move(row(points.x, i), row(pass.gradient, i), length, radius[i], row(x, i),
                     row_size(x));
            });
        }
        nearest.offer_all(points.fooled(mean_logits(target, x, options_.eot)), x, owner);
        return nearest.points();
    }

  private:
    void move(const float* center, const float* gradient, double length, double radius, float* x,
              int64_t n) const {
        const double scale = length / std::max(row_norm(gradient, n, Norm::kL2), 1e-12);
        for (int64_t j = 0; j < n; ++j) x[j] += static_cast<float>(scale) * gradient[j];
        const double norm = std::max(row_distance(x, center, n, Norm::kL2), 1e-12);
        for (int64_t j = 0; j < n; ++j) {
            const float moved = center[j] + static_cast<float>(radius / norm) * (x[j] - center[j]);
            x[j] = std::clamp(moved, ball_.lower, ball_.upper);
        }
    }

    EvasionOptions options_;
    Ball ball_;
};

}  // namespace

std::unique_ptr<Attack> make_ddn(const EvasionOptions& options) {
    return std::make_unique<Ddn>(options);
}

}  // namespace ward::attack
