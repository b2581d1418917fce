#include "ward/attack/hopskipjump.h"

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

constexpr int64_t kFirstQueries = 100, kMostQueries = 10000;
constexpr int64_t kStartTries = 100;  // random images tried as a start
constexpr int64_t kMostBisections = 25, kMostHalvings = 15;

// The sum of u_q = probe - x over the probes of one example, and over those of them that fool.
class ProbeSums {
  public:
    explicit ProbeSums(int64_t n) : few_(n), few_fooled_(n), all_(n), fooled_(n) {}

    void add(const float* probe, const float* x, bool fools, int64_t n) {
        add_difference(probe, x, few_.data(), n);
        if (fools) add_difference(probe, x, few_fooled_.data(), n);
        ++queries_;
        hits_ += fools ? 1 : 0;
        if (queries_ % kFew == 0) carry();
    }

    // Of the sum over q of (phi_q - mean phi) u_q with phi_q = +-1; where all agree, of phi_q u_q.
    void direction(float* out, int64_t n) {
        carry();
        const double mean = 2 * double(hits_) / double(queries_) - 1;
        const bool agree = hits_ == 0 || hits_ == queries_;
        for (int64_t j = 0; j < n; ++j) {
            out[j] =
                static_cast<float>(agree ? mean * all_[j] : 2 * fooled_[j] - (1 + mean) * all_[j]);
        }
    }

  private:
    static constexpr int64_t kFew = 64;  // that are summed up in single precision

    void carry() {
        for (size_t j = 0; j < all_.size(); ++j) {
            all_[j] += static_cast<double>(few_[j]);
            fooled_[j] += static_cast<double>(few_fooled_[j]);
        }
        std::fill(few_.begin(), few_.end(), 0.0f);
        std::fill(few_fooled_.begin(), few_fooled_.end(), 0.0f);
    }

    std::vector<float> few_, few_fooled_;
    std::vector<double> all_, fooled_;
    int64_t queries_ = 0, hits_ = 0;
};

// Labels alone: what tells whether answers are those that are wanted.
Points labels_only(const Points& points, const at::Tensor& rows) {
    return {at::Tensor(), points.y.index_select(0, rows),
            points.targeted() ? points.wanted.index_select(0, rows) : at::Tensor()};
}

std::vector<int64_t> with_rows(const at::Tensor& x, int64_t rows) {
    std::vector<int64_t> shape = x.sizes().vec();
    shape[0] = rows;
    return shape;
}

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
    double probe_length(double distance, int64_t t, int64_t n) const {
        if (t == 1) return 0.1 * (options_.upper - options_.lower);
        const double theta = tolerance(n);
        return options_.norm == Norm::kL2 ? std::sqrt(double(n)) * theta * distance
                                          : double(n) * theta * distance;
    }

    // The direction at the boundary for each example, of unit length (L2) or its sign (Linf).
    // Probes of all examples share pieces of as many as the model takes at once: what one piece
    // needs stays in the cache from the draw to the sum.
    at::Tensor estimate(Target& target, const Points& points, const at::Tensor& x, int64_t t,
                        Generator& generator) const {
        const int64_t rows = x.size(0), n = row_size(x);
        const auto queries = std::min<int64_t>(
            kMostQueries, static_cast<int64_t>(double(kFirstQueries) * std::sqrt(double(t))));
        const int64_t total = rows * queries;
        const int64_t pieces = (total + target.rows_at_once() - 1) / target.rows_at_once();
        const uint64_t seed = generator();
        const std::vector<double> lengths = probe_lengths(points, x, t);
        std::vector<ProbeSums> sums(static_cast<size_t>(rows), ProbeSums(n));
        for (int64_t piece = 0; piece < pieces; ++piece) {
            const int64_t first = total * piece / pieces, last = total * (piece + 1) / pieces;
            const at::Tensor owner = torch::arange(first, last).div(queries, "floor").to(at::kLong);
            at::Tensor probes = torch::empty(with_rows(x, last - first));
            for_rows(last - first, [&](int64_t q) {
                const int64_t i = (first + q) / queries;
                float* out = row(probes, q);
                gaussian_row(seed + static_cast<uint64_t>(first + q), out, n);
                const double norm = std::max(row_norm(out, n, Norm::kL2), 1e-12);
                probe(ball_, row(x, i), static_cast<float>(lengths[i] / norm), out, n);
            });
            const at::Tensor hit = fooled(target, labels_only(points, owner), probes);
            for (int64_t q = 0; q < last - first; ++q) {
                const int64_t i = (first + q) / queries;
                sums[i].add(row(probes, q), row(x, i), hit.data_ptr<bool>()[q], n);
            }
        }
        at::Tensor direction = torch::empty(x.sizes());
        for_rows(rows, [&](int64_t i) {
            sums[i].direction(row(direction, i), n);
            to_unit(row(direction, i), n);
        });
        return direction;
    }

    std::vector<double> probe_lengths(const Points& points, const at::Tensor& x, int64_t t) const {
        std::vector<double> lengths;
        const int64_t n = row_size(x);
        for (int64_t i = 0; i < x.size(0); ++i) {
            lengths.push_back(
                probe_length(row_distance(row(x, i), row(points.x, i), n, options_.norm), t, n));
        }
        return lengths;
    }

    void to_unit(float* direction, int64_t n) const {
        const auto length = static_cast<float>(std::max(row_norm(direction, n, Norm::kL2), 1e-30));
        for (int64_t j = 0; j < n; ++j) {
            const float d = direction[j];
            direction[j] =
                options_.norm == Norm::kL2 ? d / length : (d > 0 ? 1.0f : (d < 0 ? -1.0f : 0.0f));
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
