#include "ward/attack/boundary.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ward/attack/internal/nearest.h"
#include "ward/attack/internal/rows.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr int64_t kStarts = 50, kBisections = 12;
constexpr double kFirstAside = 0.01, kFirstForward = 0.01;  // shares of the distance
constexpr double kMostForward = 0.5, kMostAside = 0.3, kLeast = 1e-6;
constexpr int64_t kWindow = 20;  // steps after which sizes are looked at

// What is known about the steps of one example.
struct Walk {
    double aside = kFirstAside, forward = kFirstForward;
    int64_t tried = 0, taken = 0;

    // As the authors: half of the steps should succeed; where nearly none does, both sizes fall.
    void adapt() {
        if (tried < kWindow) return;
        const double share = static_cast<double>(taken) / static_cast<double>(tried);
        const double factor = share > 0.5 ? 1.5 : share < 0.2 ? 1 / 1.5 : 1;
        aside = std::clamp(aside * factor, kLeast, kMostAside);
        forward = std::clamp(forward * factor, kLeast, kMostForward);
        tried = taken = 0;
    }
};

class Boundary : public Attack {
  public:
    explicit Boundary(const EvasionOptions& options) : options_(options) {
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
        for (int64_t step = 0; step < options_.steps; ++step) {
            at::Tensor trial = x.clone();
            for (int64_t i = 0; i < x.size(0); ++i)
                if (started[i])
                    propose(row(points.x, i), walks[i], generator, row(trial, i), row_size(x));
            const at::Tensor fooled = points.fooled_by_labels(target.labels(trial)).contiguous();
            nearest.offer_all(fooled, trial, owner);
            for (int64_t i = 0; i < x.size(0); ++i) {
                ++walks[i].tried;
                if (started[i] && fooled.data_ptr<bool>()[i]) {
                    ++walks[i].taken;
                    x[i].copy_(trial[i]);
                }
                walks[i].adapt();
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

    void propose(const float* center, const Walk& walk, Generator& generator, float* x,
                 int64_t n) const {
        const double distance = std::max(row_distance(x, center, n, Norm::kL2), 1e-12);
        std::vector<double> step(static_cast<size_t>(n));
        double along = 0, norm = 0;
        for (int64_t j = 0; j < n; ++j) {
            step[j] = gaussian(generator);
            along += step[j] * (x[j] - center[j]) / distance;
        }
        for (int64_t j = 0; j < n; ++j) {
            step[j] -= along * (x[j] - center[j]) / distance;
            norm += step[j] * step[j];
        }
        const double scale = walk.aside * distance / std::max(std::sqrt(norm), 1e-12);
        // On the sphere, then towards the example.
        const double back = (1 - walk.forward) / std::sqrt(1 + walk.aside * walk.aside);
        for (int64_t j = 0; j < n; ++j) {
            const double moved = x[j] - center[j] + scale * step[j];
            x[j] =
                std::clamp(static_cast<float>(center[j] + back * moved),
                           static_cast<float>(options_.lower), static_cast<float>(options_.upper));
        }
    }

    EvasionOptions options_;
};

}  // namespace

std::unique_ptr<Attack> make_boundary(const EvasionOptions& options) {
    return std::make_unique<Boundary>(options);
}

}  // namespace ward::attack
