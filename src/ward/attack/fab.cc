#include "ward/attack/fab.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "ward/attack/internal/losses.h"
#include "ward/attack/internal/rows.h"
#include "ward/attack/internal/trials.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr double kMostPull = 0.1;    // alpha_max: weight of the projection of the example itself
constexpr float kOvershoot = 1.05f;  // eta
constexpr float kStepBack = 0.9f;    // beta

Norm dual(Norm norm) {
    if (norm == Norm::kLinf) return Norm::kL1;
    return norm == Norm::kL1 ? Norm::kLinf : Norm::kL2;
}

class Fab : public Attack {
  public:
    Fab(int64_t target_classes, const EvasionOptions& options)
        : target_classes_(target_classes), options_(options), ball_(ball_of(options)) {
        if (options_.steps == 0) options_.steps = 100;
        if (options_.restarts == 0) options_.restarts = 1;
    }

    std::string_view name() const override { return target_classes_ > 0 ? "fab-t" : "fab"; }

    bool minimises_norm() const override { return true; }

    at::Tensor perturb(Target& target, const Points& points) override {
        if (points.targeted())
            throw Error(ErrorCode::kUnsupported, "fab looks for any other class",
                        "use pgd or apgd-ce for a class of your choice");
        Generator generator(options_.seed);
        out_ = points.x.clone();
        nearest_.assign(points.size(), std::numeric_limits<double>::infinity());
        done_ = torch::zeros({points.size()}, at::kBool);
        at::Tensor rivals;
        int64_t tries = 1;
        if (target_classes_ > 0) {
            rivals = rival_classes(target.logits(points.x), points.y);
            tries = std::min(target_classes_, rivals.size(1));
            rivals = rivals.narrow(1, 0, tries);
        }
        for (int64_t restart = 0; restart < options_.restarts; ++restart) {
            for (int64_t t = 0; t < tries;) {
                const int64_t open = (~done_).sum().item<int64_t>();
                if (open == 0) return out_;
                const int64_t count = tries_at_once(open, tries - t, target.rows_at_once());
                run(target, stack_trials(points, done_, rivals, t, count), restart > 0, generator);
                t += count;
            }
        }
        return out_;
    }

  private:
    void run(Target& target, Trials trials, bool random, Generator& generator) {
        at::Tensor x = trials.points.x.clone();
        if (random) start(trials, generator, x);
        for (int64_t step = 0; step < options_.steps && x.size(0) > 0; ++step) {
            const Planes planes = linearise(target, x, trials);
            for_rows(x.size(0), [&](int64_t i) { move(planes, trials.points.x, i, x); });
            const at::Tensor fooled = trials.points.fooled(target.logits(x)).contiguous();
            for (int64_t i = 0; i < x.size(0); ++i) {
                if (fooled.data_ptr<bool>()[i])
                    note(trials.owner.data_ptr<int64_t>()[i], row(trials.points.x, i), row(x, i),
                         row_size(x));
            }
            const at::Tensor keep = ~done_.index_select(0, trials.owner);
            if (!keep.all().item<bool>())
                keep_rows(keep,
                          {&x, &trials.points.x, &trials.points.y, &trials.aim, &trials.owner});
        }
    }

    struct Planes {
        at::Tensor value;   // {rows} of rival logit minus logit of the right class
        at::Tensor normal;  // its gradient, as x
    };

    Planes linearise(Target& target, const at::Tensor& x, const Trials& trials) const {
        if (!trials.aim.defined()) return nearest_plane(target, x, trials.points.y);
        Planes planes{torch::empty({x.size(0)}), at::Tensor()};
        planes.normal = target
                            .gradient(x,
                                      [&](const at::Tensor& logits, int64_t first) {
                                          const int64_t rows = logits.size(0);
                                          const LossRows loss =
                                              evaluate_loss(Loss::kMargin, logits,
                                                            trials.points.y.narrow(0, first, rows),
                                                            trials.aim.narrow(0, first, rows));
                                          planes.value.narrow(0, first, rows).copy_(loss.value);
                                          return loss.cotangent;
                                      })
                            .gradient;
        return planes;
    }

    // Of all rivals the one whose linearised boundary is nearest.
    Planes nearest_plane(Target& target, const at::Tensor& x, const at::Tensor& y) const {
        const auto jacobian = target.jacobian(x, [](const at::Tensor& logits) {
            return torch::arange(logits.size(1)).expand(logits.sizes());
        });
        const int64_t rows = x.size(0), classes = jacobian.logits.size(1), n = row_size(x);
        Planes planes{torch::empty({rows}), torch::empty(x.sizes())};
        for_rows(rows, [&](int64_t i) {
            const float* z = jacobian.logits.data_ptr<float>() + i * classes;
            const float* g = jacobian.gradients.data_ptr<float>() + i * classes * n;
            const int64_t right = y.data_ptr<int64_t>()[i];
            std::vector<float> w(n);
            double least = std::numeric_limits<double>::infinity();
            for (int64_t c = 0; c < classes; ++c) {
                if (c == right) continue;
                for (int64_t j = 0; j < n; ++j) w[j] = g[c * n + j] - g[right * n + j];
                const double distance =
                    std::abs(z[c] - z[right]) / (1e-12 + row_norm(w.data(), n, dual(ball_.norm)));
                if (!(distance < least)) continue;
                least = distance;
                planes.value.data_ptr<float>()[i] = z[c] - z[right];
                std::copy_n(w.data(), n, row(planes.normal, i));
            }
        });
        return planes;
    }

    // One step from x and from the example onto the plane, mixed by how far each is from it.
    void move(const Planes& planes, const at::Tensor& center, int64_t i, at::Tensor& x) const {
        const int64_t n = row_size(x);
        thread_local std::vector<float> from_x, from_center;
        from_x.resize(n);
        from_center.resize(n);
        const float* w = row(planes.normal, i);
        float *here = row(x, i), *origin = row(center, i);
        const double b = dot(w, here, n) - planes.value.data_ptr<float>()[i];
        project_on_plane(ball_, here, w, b, from_x.data(), n);
        project_on_plane(ball_, origin, w, b, from_center.data(), n);
        const double a = std::max(row_norm(from_x.data(), n, ball_.norm), 1e-8);
        const double c = std::max(row_norm(from_center.data(), n, ball_.norm), 1e-8);
        const auto pull = static_cast<float>(std::min(a / (a + c), kMostPull));
        for (int64_t j = 0; j < n; ++j) {
            const float moved = (here[j] + kOvershoot * from_x[j]) * (1 - pull) +
                                (origin[j] + kOvershoot * from_center[j]) * pull;
            here[j] = std::clamp(moved, ball_.lower, ball_.upper);
        }
    }

    // A point beyond the boundary: kept when it is the nearest so far; then some of the way back.
    void note(int64_t owner, const float* center, float* x, int64_t n) {
        const double distance = row_distance(x, center, n, ball_.norm);
        if (distance < nearest_[owner]) {
            nearest_[owner] = distance;
            std::copy_n(x, n, row(out_, owner));
            if (std::isfinite(options_.epsilon) && distance <= options_.epsilon)
                done_.data_ptr<bool>()[owner] = true;
        }
        for (int64_t j = 0; j < n; ++j) x[j] = center[j] + kStepBack * (x[j] - center[j]);
    }

    void start(const Trials& trials, Generator& generator, at::Tensor& x) const {
        for (int64_t i = 0; i < x.size(0); ++i) {
            const double known = nearest_[trials.owner.data_ptr<int64_t>()[i]];
            Ball half = ball_;
            half.epsilon = static_cast<float>(0.5 * std::min(known, options_.epsilon));
            if (!std::isfinite(half.epsilon)) continue;
            at::Tensor one = x.narrow(0, i, 1);
            random_start(half, trials.points.x.narrow(0, i, 1), true, generator, one);
        }
    }

    int64_t target_classes_;  // 0: all at once
    EvasionOptions options_;
    Ball ball_;
    at::Tensor out_, done_;
    std::vector<double> nearest_;
};

}  // namespace

std::unique_ptr<Attack> make_fab(const EvasionOptions& options) {
    return std::make_unique<Fab>(0, options);
}

std::unique_ptr<Attack> make_fab_t(const EvasionOptions& options, int64_t target_classes) {
    return std::make_unique<Fab>(target_classes, options);
}

}  // namespace ward::attack
