#include "ward/attack/fmn.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ward/attack/internal/margin_search.h"
#include "ward/attack/internal/nearest.h"
#include "ward/attack/internal/rows.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr double kFirstGamma = 0.05, kLastGamma = 1e-4;  // change of the radius
constexpr double kOvershoot = 1.02;  // past the linearised boundary, which else is only approached
constexpr double kFirstStep = 1.0, kLastStep = 1e-3;  // L2 length of a step, inputs in [0, 1]

double cosine(double first, double last, double done) {
    return last + (first - last) * (1 + std::cos(M_PI * done)) / 2;
}

Norm dual_of(Norm norm) {
    if (norm == Norm::kLinf) return Norm::kL1;
    return norm == Norm::kL1 ? Norm::kLinf : Norm::kL2;
}

class Fmn : public Attack {
  public:
    explicit Fmn(const EvasionOptions& options) : options_(options), ball_(ball_of(options)) {
        if (options_.steps == 0) options_.steps = 100;
    }

    std::string_view name() const override { return "fmn"; }
    bool minimises_norm() const override { return true; }

    at::Tensor perturb(Target& target, const Points& points) override {
        Nearest nearest(points.x, options_.norm);
        at::Tensor x = points.x.clone();
        const at::Tensor owner = torch::arange(points.size());
        std::vector<double> radius(static_cast<size_t>(points.size()),
                                   std::numeric_limits<double>::infinity());
        for (int64_t step = 0; step < options_.steps; ++step) {
            const MarginPass pass = margin_gradient(target, points, x);
            nearest.offer_all(points.fooled(pass.logits), x, owner);
            const at::Tensor fooled = points.fooled(pass.logits).contiguous();
            const double done = static_cast<double>(step) / static_cast<double>(options_.steps);
            for_rows(x.size(0), [&](int64_t i) {
                const double found = nearest.distance(i);
                double& r = radius[static_cast<size_t>(i)];
                const double gamma = cosine(kFirstGamma, kLastGamma, done);
                const int64_t n = row_size(x);
                if (fooled.data_ptr<bool>()[i]) {
                    r = std::min(r, found) * (1 - gamma);
                } else if (std::isfinite(found)) {
                    r = r * (1 + gamma);
                } else {
                    const double slope = row_norm(row(pass.gradient, i), n, dual_of(options_.norm));
                    r = row_distance(row(x, i), row(points.x, i), n, options_.norm) +
                        std::abs(static_cast<double>(pass.margin.data_ptr<float>()[i])) /
                            std::max(slope, 1e-12);
                    r *= kOvershoot;
                }
                move(row(points.x, i), row(pass.gradient, i), cosine(kFirstStep, kLastStep, done),
                     r, row(x, i), n);
            });
        }
        nearest.offer_all(points.fooled(target.logits(x)), x, owner);
        return nearest.points();
    }

  private:
    void move(const float* center, const float* gradient, double length, double radius, float* x,
              int64_t n) const {
        length *= options_.upper - options_.lower;
        const double scale = length / std::max(row_norm(gradient, n, Norm::kL2), 1e-12);
        for (int64_t j = 0; j < n; ++j) x[j] += static_cast<float>(scale * gradient[j]);
        Ball ball = ball_;
        ball.epsilon = static_cast<float>(std::min(radius, 1e9));
        project(ball, center, x, n);
    }

    EvasionOptions options_;
    Ball ball_;
};

}  // namespace

std::unique_ptr<Attack> make_fmn(const EvasionOptions& options) {
    return std::make_unique<Fmn>(options);
}

}  // namespace ward::attack
