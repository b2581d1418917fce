#include "ward/attack/hopskipjump.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ward/attack/internal/nearest.h"
#include "ward/attack/internal/rows.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr int64_t kFirstQueries = 100, kMostQueries = 10000;
constexpr int64_t kStartTries = 100;  // random images tried as a start
constexpr int64_t kMostBisections = 25, kMostHalvings = 15;
constexpr int64_t kFloatsAtOnce = 1 << 23;  // of queries held in memory

class HopSkipJump : public Attack {
  public:
    explicit HopSkipJump(const EvasionOptions& options)
        : options_(options), ball_(ball_of(options)) {
        if (options_.norm == Norm::kL1)
            throw Error(ErrorCode::kUnsupported, "hopskipjump knows the norms l2 and linf",
                        "use square or apgd-ce for other norms");
        if (options_.steps == 0) options_.steps = 10;
    }

    std::string_view name() const override { return "hopskipjump"; }
    Access needs() const override { return Access::kLabels; }
    bool minimises_norm() const override { return true; }

    at::Tensor perturb(Target& target, const Points& points) override {
        Generator generator(options_.seed);
        at::Tensor x = points.x.clone();
        at::Tensor owner = find_starts(target, points, generator, x);
        const Points left = points.select(owner);
        x = x.index_select(0, owner);
        Nearest nearest(points.x, options_.norm);
        if (owner.numel() == 0) return nearest.points();
        bisect(target, left, x);
        nearest.offer_all(torch::ones({x.size(0)}, at::kBool), x, owner);
        for (int64_t t = 1; t <= options_.steps; ++t) {
            const at::Tensor direction = estimate(target, left, x, t, generator);
            step_along(target, left, direction, t, x);
            bisect(target, left, x);
            nearest.offer_all(torch::ones({x.size(0)}, at::kBool), x, owner);
        }
        return nearest.points();
    }

  private:
    static at::Tensor fooled(Target& target, const Points& points, const at::Tensor& x) {
        return points.fooled_by_labels(target.labels(x)).contiguous();
    }

    // Uniform random images until one fools. Returns the examples for which that worked.
    at::Tensor find_starts(Target& target, const Points& points, Generator& generator,
                           at::Tensor& x) const {
        at::Tensor done = torch::zeros({points.size()}, at::kBool);
        for (int64_t t = 0; t < kStartTries; ++t) {
            const at::Tensor open = (~done).nonzero().flatten();
            if (open.numel() == 0) break;
            const Points left = points.select(open);
            at::Tensor noise = torch::empty(left.x.sizes());
            for (int64_t i = 0; i < noise.size(0); ++i)
                for (int64_t j = 0; j < row_size(noise); ++j)
                    row(noise, i)[j] = static_cast<float>(
                        options_.lower + (options_.upper - options_.lower) * uniform01(generator));
            settle(fooled(target, left, noise), noise, open, done, x);
        }
        return done.nonzero().flatten();
    }

    // theta of the paper: how near to the boundary bisection goes.
    double tolerance(int64_t n) const {
        return options_.norm == Norm::kL2 ? 1.0 / (std::sqrt(double(n)) * double(n))
                                          : 1.0 / (double(n) * double(n));
    }

    // Between center (a = 0) and x (a = 1): a line for L2, a shrinking cube for Linf.
    void blend(const float* center, const float* x, double a, double span, float* out,
               int64_t n) const {
        const auto bound = static_cast<float>(a * span);
        for (int64_t j = 0; j < n; ++j) {
            const float d = x[j] - center[j];
            out[j] = center[j] + (options_.norm == Norm::kL2 ? static_cast<float>(a) * d
                                                             : std::clamp(d, -bound, bound));
        }
    }

    // Moves each adversarial x to the boundary on its way to the example, staying adversarial.
    void bisect(Target& target, const Points& points, at::Tensor& x) const {
        const int64_t rows = x.size(0), n = row_size(x);
        std::vector<double> low(rows, 0), high(rows, 1), span(rows);
        for (int64_t i = 0; i < rows; ++i)
            span[i] = row_distance(row(x, i), row(points.x, i), n, Norm::kLinf);
        at::Tensor middle = torch::empty(x.sizes());
        for (int64_t round = 0; round < kMostBisections; ++round) {
            for_rows(rows, [&](int64_t i) {
                blend(row(points.x, i), row(x, i), (low[i] + high[i]) / 2, span[i], row(middle, i),
                      n);
            });
            const at::Tensor hit = fooled(target, points, middle);
            bool any = false;
            for (int64_t i = 0; i < rows; ++i) {
                const double a = (low[i] + high[i]) / 2;
                (hit.data_ptr<bool>()[i] ? high : low)[i] = a;
                any |= high[i] - low[i] > tolerance(n);
            }
            if (!any) break;
        }
        for_rows(rows, [&](int64_t i) {
            blend(row(points.x, i), row(x, i), high[i], span[i], row(middle, i), n);
        });
        x.copy_(middle);
    }

    // Probe length: a share of the distance that keeps the estimate local (section IV.C).
    double probe(double distance, int64_t t, int64_t n) const {
        if (t == 1) return 0.1 * (options_.upper - options_.lower);
        const double theta = tolerance(n);
        return options_.norm == Norm::kL2 ? std::sqrt(double(n)) * theta * distance
                                          : double(n) * theta * distance;
    }

    at::Tensor estimate(Target& target, const Points& points, const at::Tensor& x, int64_t t,
                        Generator& generator) const {
        const int64_t n = row_size(x);
        const auto queries = std::min<int64_t>(
            kMostQueries, static_cast<int64_t>(double(kFirstQueries) * std::sqrt(double(t))));
        at::Tensor direction = torch::zeros(x.sizes());
        const int64_t group = std::max<int64_t>(1, kFloatsAtOnce / (queries * n));
        for (int64_t first = 0; first < x.size(0); first += group) {
            const int64_t rows = std::min(group, x.size(0) - first);
            estimate_group(target, points.select(torch::arange(first, first + rows)),
                           x.narrow(0, first, rows), queries, t, generator,
                           direction.narrow(0, first, rows));
        }
        return direction;
    }

    void estimate_group(Target& target, const Points& points, const at::Tensor& x, int64_t queries,
                        int64_t t, Generator& generator, const at::Tensor& direction) const {
        const int64_t rows = x.size(0), n = row_size(x);
        const at::Tensor owner = torch::arange(rows).repeat_interleave(queries);
        const Points many = points.select(owner);
        at::Tensor probes = torch::empty(many.x.sizes());
        at::Generator noise = at::make_generator<at::CPUGeneratorImpl>(generator());
        probes.normal_(0, 1, noise);
        for_rows(probes.size(0), [&](int64_t q) {
            const int64_t i = q / queries;
            const double distance = row_distance(row(x, i), row(points.x, i), n, options_.norm);
            const double length = std::max(row_norm(row(probes, q), n, Norm::kL2), 1e-12);
            const auto scale = static_cast<float>(probe(distance, t, n) / length);
            for (int64_t j = 0; j < n; ++j)
                row(probes, q)[j] =
                    std::clamp(row(x, i)[j] + scale * row(probes, q)[j], ball_.lower, ball_.upper);
        });
        const at::Tensor hit = fooled(target, many, probes);
        for_rows(rows, [&](int64_t i) {
            average(hit.data_ptr<bool>() + i * queries, row(probes, i * queries), row(x, i),
                    queries, n, row(direction, i));
        });
    }

    // Mean of (phi_q - mean phi) u_q, or +- mean u_q where all agree; of unit length (L2), or its
    // sign (Linf).
    void average(const bool* hit, const float* probes, const float* x, int64_t queries, int64_t n,
                 float* out) const {
        double mean = 0;
        for (int64_t q = 0; q < queries; ++q) mean += (hit[q] ? 1.0 : -1.0) / double(queries);
        const bool agree = std::abs(mean) > 1 - 1e-9;
        std::vector<double> sum(n, 0);
        for (int64_t q = 0; q < queries; ++q) {
            const double weight = agree ? mean : (hit[q] ? 1.0 : -1.0) - mean;
            for (int64_t j = 0; j < n; ++j) sum[j] += weight * (probes[q * n + j] - x[j]);
        }
        for (int64_t j = 0; j < n; ++j) out[j] = static_cast<float>(sum[j]);
        const auto length = static_cast<float>(std::max(row_norm(out, n, Norm::kL2), 1e-30));
        for (int64_t j = 0; j < n; ++j) {
            if (options_.norm == Norm::kL2)
                out[j] /= length;
            else
                out[j] = out[j] > 0 ? 1.0f : (out[j] < 0 ? -1.0f : 0.0f);
        }
    }

    // From the length distance / sqrt(t) on, halved until the point is adversarial.
    void step_along(Target& target, const Points& points, const at::Tensor& direction, int64_t t,
                    at::Tensor& x) const {
        const int64_t n = row_size(x);
        at::Tensor open = torch::arange(x.size(0));
        double share = 1 / std::sqrt(static_cast<double>(t));
        for (int64_t halving = 0; halving < kMostHalvings && open.numel() > 0; ++halving) {
            const Points left = points.select(open);
            at::Tensor trial = x.index_select(0, open);
            const at::Tensor way = direction.index_select(0, open);
            for_rows(trial.size(0), [&](int64_t i) {
                const double distance =
                    row_distance(row(trial, i), row(left.x, i), n, options_.norm);
                const auto length = static_cast<float>(share * distance);
                for (int64_t j = 0; j < n; ++j)
                    row(trial, i)[j] = std::clamp(row(trial, i)[j] + length * row(way, i)[j],
                                                  ball_.lower, ball_.upper);
            });
            const at::Tensor hit = fooled(target, left, trial);
            const at::Tensor good = hit.nonzero().flatten();
            x.index_copy_(0, open.index_select(0, good), trial.index_select(0, good));
            open = open.index_select(0, (~hit).nonzero().flatten());
            share /= 2;
        }
    }

    EvasionOptions options_;
    Ball ball_;
};

}  // namespace

std::unique_ptr<Attack> make_hopskipjump(const EvasionOptions& options) {
    return std::make_unique<HopSkipJump>(options);
}

}  // namespace ward::attack
