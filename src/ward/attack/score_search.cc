#include "ward/attack/score_search.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "ward/attack/internal/margin_search.h"
#include "ward/attack/internal/row_random.h"
#include "ward/attack/internal/rows.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr int64_t kPairs = 32;          // random directions of one estimate
constexpr double kDistance = 0.01;      // of the two points of a pair, share of the box
constexpr double kLearningRate = 0.01;  // share of the box
constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kTiny = 1e-8;
constexpr double kSimbaStep = 0.2;  // L2: length of one step, share of the box

void refuse_l1(const EvasionOptions& options, const char* name) {
    if (options.norm != Norm::kL1) return;
    throw Error(ErrorCode::kUnsupported, std::string(name) + " knows the norms linf and l2",
                "use apgd-ce for l1");
}

class Spsa : public Attack {
  public:
    explicit Spsa(const EvasionOptions& options) : options_(options), ball_(ball_of(options)) {
        refuse_l1(options, "spsa");
        if (options_.steps == 0) options_.steps = 100;
        if (options_.step_size == 0)
            options_.step_size = kLearningRate * (options_.upper - options_.lower);
    }

    std::string_view name() const override { return "spsa"; }
    Access needs() const override { return Access::kScores; }

    at::Tensor perturb(Target& target, const Points& all) override {
        Generator generator(options_.seed);
        Points points = all;
        at::Tensor out = all.x.clone(), done = torch::zeros({all.size()}, at::kBool);
        at::Tensor owner = torch::arange(all.size()), x = all.x.clone();
        at::Tensor mean = torch::zeros_like(x), square = torch::zeros_like(x);
        for (int64_t step = 1; step <= options_.steps && owner.numel() > 0; ++step) {
            const at::Tensor slope = estimate(target, points, x, generator);
            mean = kBeta1 * mean + (1 - kBeta1) * slope;
            square = kBeta2 * square + (1 - kBeta2) * slope.square();
            x = x + options_.step_size * (mean / (1 - std::pow(kBeta1, double(step)))) /
                        ((square / (1 - std::pow(kBeta2, double(step)))).sqrt() + kTiny);
            for (int64_t i = 0; i < x.size(0); ++i)
                project(ball_, row(points.x, i), row(x, i), row_size(x));
            const at::Tensor fooled = points.fooled(target.logits(x));
            if (!fooled.any().item<bool>()) continue;
            const at::Tensor keep = settle(fooled, x, owner, done, out);
            keep_rows(keep, {&points.x, &points.y, &points.wanted, &owner, &x, &mean, &square});
        }
        return out;
    }

  private:
    // Mean over pairs of the change of the margin along the direction, times the direction. As many
    // pairs go through the model together as it takes at once.
    at::Tensor estimate(Target& target, const Points& points, const at::Tensor& x,
                        Generator& generator) const {
        const int64_t rows = x.size(0);
        const int64_t at_once = std::clamp<int64_t>(target.rows_at_once() / (2 * rows), 1, kPairs);
        at::Tensor slope = torch::zeros_like(x);
        for (int64_t pair = 0; pair < kPairs; pair += at_once) {
            const int64_t count = std::min(at_once, kPairs - pair);
            const at::Tensor probes = paired_probes(x, count, generator());
            const at::Tensor logits = target.logits(probes);
            for (int64_t k = 0; k < count; ++k) {
                const auto margin = [&](int64_t block) {
                    return margin_of(points, logits.narrow(0, block * rows, rows));
                };
                add_slopes(probes.narrow(0, 2 * k * rows, 2 * rows),
                           margin(2 * k) - margin(2 * k + 1), slope);
            }
        }
        return slope;
    }

    double distance() const { return kDistance * (options_.upper - options_.lower); }

    // For each pair first all rows of x moved along a direction of their own, then against it.
    at::Tensor paired_probes(const at::Tensor& x, int64_t pairs, uint64_t seed) const {
        const int64_t rows = x.size(0), n = row_size(x);
        at::Tensor probes = at::cat(std::vector<at::Tensor>(2 * pairs, x));
        for_rows(pairs * rows, [&](int64_t r) {
            thread_local std::vector<float> direction;
            direction.resize(static_cast<size_t>(n));
            sign_row(seed + static_cast<uint64_t>(r), direction.data(), n);
            const int64_t place = r / rows * 2 * rows + r % rows;
            float *up = row(probes, place), *down = row(probes, place + rows);
            for (int64_t j = 0; j < n; ++j) {
                const float step = static_cast<float>(distance()) * direction[j];
                up[j] += step;
                down[j] -= step;
            }
        });
        return probes;
    }

    void add_slopes(const at::Tensor& pair, const at::Tensor& change, at::Tensor& slope) const {
        const int64_t rows = slope.size(0), n = row_size(slope);
        const double share = 1 / (4 * distance() * distance() * double(kPairs));
        for (int64_t i = 0; i < rows; ++i) {
            const float *up = row(pair, i), *down = row(pair, i + rows);
            const auto weight = static_cast<float>(share * change.data_ptr<float>()[i]);
            float* out = row(slope, i);
            for (int64_t j = 0; j < n; ++j) out[j] += weight * (up[j] - down[j]);
        }
    }

    EvasionOptions options_;
    Ball ball_;
};

class Simba : public Attack {
  public:
    explicit Simba(const EvasionOptions& options) : options_(options), ball_(ball_of(options)) {
        refuse_l1(options, "simba");
        if (options_.steps == 0) options_.steps = 5000;
        if (options_.step_size == 0) {
            options_.step_size = options_.norm == Norm::kLinf
                                     ? options_.epsilon
                                     : kSimbaStep * (options_.upper - options_.lower);
        }
    }

    std::string_view name() const override { return "simba"; }
    Access needs() const override { return Access::kScores; }

    at::Tensor perturb(Target& target, const Points& all) override {
        Generator generator(options_.seed);
        Points points = all;
        at::Tensor out = all.x.clone(), done = torch::zeros({all.size()}, at::kBool);
        at::Tensor owner = torch::arange(all.size()), x = all.x.clone();
        at::Tensor best = margin_of(points, target.logits(x));
        std::vector<int64_t> order;
        for (int64_t query = 1; query + 1 < options_.steps && owner.numel() > 0; query += 2) {
            if (order.empty()) order = shuffled(row_size(x), generator);
            const int64_t place = order.back();
            order.pop_back();
            // Up for all; down where up did not help.
            for (const float sign : {1.0f, -1.0f}) {
                at::Tensor trial = x.clone();
                for (int64_t i = 0; i < x.size(0); ++i) {
                    row(trial, i)[place] += sign * static_cast<float>(options_.step_size);
                    project(ball_, row(points.x, i), row(trial, i), row_size(x));
                }
                const at::Tensor logits = target.logits(trial);
                const at::Tensor margin = margin_of(points, logits);
                const at::Tensor better = margin > best;
                std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
                shape[0] = x.size(0);
                x = at::where(better.view(shape), trial, x).contiguous();
                best = at::where(better, margin, best);
                const at::Tensor fooled = points.fooled(logits);
                if (!fooled.any().item<bool>()) continue;
                const at::Tensor keep = settle(fooled, trial, owner, done, out);
                keep_rows(keep, {&points.x, &points.y, &points.wanted, &owner, &x, &best});
                if (owner.numel() == 0) break;
            }
        }
        return out;
    }

  private:
    static std::vector<int64_t> shuffled(int64_t n, Generator& generator) {
        std::vector<int64_t> order(static_cast<size_t>(n));
        std::iota(order.begin(), order.end(), int64_t{0});
        for (int64_t i = n; i > 1; --i) std::swap(order[i - 1], order[below(generator, i)]);
        return order;
    }

    EvasionOptions options_;
    Ball ball_;
};

}  // namespace

std::unique_ptr<Attack> make_spsa(const EvasionOptions& options) {
    return std::make_unique<Spsa>(options);
}

std::unique_ptr<Attack> make_simba(const EvasionOptions& options) {
    return std::make_unique<Simba>(options);
}

}  // namespace ward::attack
