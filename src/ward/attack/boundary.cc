#include "ward/attack/boundary.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ward/attack/internal/nearest.h"
#include "ward/attack/internal/row_random.h"
#include "ward/attack/internal/rows.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr int64_t kStarts = 50, kBisections = 12;
constexpr double kFirstAside = 0.01, kFirstForward = 0.01;  // shares of the distance
constexpr double kMostForward = 0.5, kMostAside = 0.3, kLeast = 1e-6;
constexpr int64_t kWindow = 10;  // steps after which sizes are looked at
constexpr double kChange = 1.5;

// Sizes of the two parts of a step, and how often they succeed: half of the parts aside and a
// quarter of the parts towards the example should (section 2.4 of the paper).
struct Size {
    double value, wanted, most;
    int64_t tried = 0, taken = 0;

    void note(bool success) {
        ++tried;
        taken += success ? 1 : 0;
        if (tried < kWindow) return;
        const bool often = static_cast<double>(taken) > wanted * static_cast<double>(tried);
        value = std::clamp(value * (often ? kChange : 1 / kChange), kLeast, most);
        tried = taken = 0;
    }
};

struct Walk {
    Size aside{kFirstAside, 0.5, kMostAside}, forward{kFirstForward, 0.25, kMostForward};
};

class Boundary : public Attack {
  public:
    explicit Boundary(const EvasionOptions& options) : options_(options), ball_(ball_of(options)) {
        if (options_.norm != Norm::kL2)
            throw Error(ErrorCode::kUnsupported, "boundary knows the norm l2 only",
                        "use hopskipjump for linf");
        if (options_.steps == 0) options_.steps = 5000;
    }

    std::string_view name() const override { return "boundary"; }
    Access needs() const override { return Access::kLabels; }
    bool minimises_norm() const override { return true; }

    at::Tensor perturb(Target& target, const Points& points) override {
        Generator generator(options_.seed);
        Nearest nearest(points.x, Norm::kL2);
        at::Tensor x = points.x.clone();
        const std::vector<bool> started = start(target, points, generator, x);
        approach(target, points, started, x);
        const at::Tensor owner = torch::arange(points.size());
        nearest.offer_all(points.fooled_by_labels(target.labels(x)), x, owner);
        std::vector<Walk> walks(static_cast<size_t>(points.size()));
        for (int64_t query = 0; query + 1 < options_.steps; query += 2) {
            at::Tensor trial = x.clone();
            for (int64_t i = 0; i < x.size(0); ++i)
                if (started[i])
                    step_aside(row(points.x, i), walks[i].aside.value, generator, row(trial, i),
                               row_size(x));
            const at::Tensor first = points.fooled_by_labels(target.labels(trial)).contiguous();
            for (int64_t i = 0; i < x.size(0); ++i)
                step_forward(row(points.x, i), walks[i].forward.value, row(trial, i), row_size(x));
            const at::Tensor second = points.fooled_by_labels(target.labels(trial)).contiguous();
            nearest.offer_all(second, trial, owner);
            for (int64_t i = 0; i < x.size(0); ++i) {
                if (!started[i]) continue;
                const bool stayed = first.data_ptr<bool>()[i], nearer = second.data_ptr<bool>()[i];
                walks[i].aside.note(stayed);
                if (stayed) walks[i].forward.note(nearer);
                if (nearer) std::copy_n(row(trial, i), row_size(x), row(x, i));
            }
        }
        return nearest.points();
    }

  private:
    std::vector<bool> start(Target& target, const Points& points, Generator& generator,
                            at::Tensor& x) const {
        std::vector<bool> started(static_cast<size_t>(points.size()));
        for (int64_t attempt = 0; attempt < kStarts; ++attempt) {
            at::Tensor noise = torch::empty_like(x);
            for (int64_t j = 0; j < noise.numel(); ++j) {
                noise.data_ptr<float>()[j] = static_cast<float>(
                    options_.lower + (options_.upper - options_.lower) * uniform01(generator));
            }
            const at::Tensor fooled = points.fooled_by_labels(target.labels(noise)).contiguous();
            bool all = true;
            for (int64_t i = 0; i < x.size(0); ++i) {
                if (!started[i] && fooled.data_ptr<bool>()[i]) {
                    x[i].copy_(noise[i]);
                    started[i] = true;
                }
                all = all && started[i];
            }
            if (all) break;
        }
        return started;
    }

    static void approach(Target& target, const Points& points, const std::vector<bool>& started,
                         at::Tensor& x) {
        std::vector<double> low(started.size(), 0), high(started.size(), 1);
        const at::Tensor far = x.clone();
        for (int64_t round = 0; round < kBisections; ++round) {
            at::Tensor trial = x.clone();
            for (int64_t i = 0; i < x.size(0); ++i) {
                const double middle = 0.5 * (low[i] + high[i]);
                trial[i].copy_(points.x[i] + middle * (far[i] - points.x[i]));
            }
            const at::Tensor fooled = points.fooled_by_labels(target.labels(trial)).contiguous();
            for (int64_t i = 0; i < x.size(0); ++i) {
                if (!started[i]) continue;
                (fooled.data_ptr<bool>()[i] ? high : low)[i] = 0.5 * (low[i] + high[i]);
                if (fooled.data_ptr<bool>()[i]) x[i].copy_(trial[i]);
            }
        }
    }

    // To another point of the sphere around the example.
    void step_aside(const float* center, double size, Generator& generator, float* x,
                    int64_t n) const {
        const double distance = std::max(row_distance(x, center, n, Norm::kL2), 1e-12);
        std::vector<float> step(static_cast<size_t>(n)), away(static_cast<size_t>(n));
        gaussian_row(generator(), step.data(), n);
        add_difference(x, center, away.data(), n);
        const auto along =
            static_cast<float>(dot(step.data(), away.data(), n) / (distance * distance));
        for (int64_t j = 0; j < n; ++j) step[j] -= along * away[j];
        const double norm = std::max(row_norm(step.data(), n, Norm::kL2), 1e-12);
        const auto scale = static_cast<float>(size * distance / norm);
        const auto back = static_cast<float>(1 / std::sqrt(1 + size * size));
        for (int64_t j = 0; j < n; ++j) step[j] = away[j] * (back - 1) + back * scale * step[j];
        probe(ball_, x, 1, step.data(), n);
        std::copy(step.begin(), step.end(), x);
    }

    static void step_forward(const float* center, double share, float* x, int64_t n) {
        for (int64_t j = 0; j < n; ++j) x[j] += static_cast<float>(share) * (center[j] - x[j]);
    }

    EvasionOptions options_;
    Ball ball_;
};

}  // namespace

std::unique_ptr<Attack> make_boundary(const EvasionOptions& options) {
    return std::make_unique<Boundary>(options);
}

}  // namespace ward::attack
