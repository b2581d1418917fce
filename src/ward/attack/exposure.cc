#include "ward/attack/exposure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <string>

#include "ward/attack/internal/rows.h"
#include "ward/attack/interval.h"
#include "ward/attack/shadow.h"
#include "ward/core/error.h"
#include "ward/nn/network.h"
#include "ward/train/evaluate.h"

namespace ward::attack {
namespace {

constexpr double kMostSkewness = 0.995;

// P[Gamma(n, 1) >= s]: of the sum of n exposures in nats without memorisation.
double gamma_tail(int64_t n, double s) {
    double term = std::exp(-s), sum = 0;
    for (int64_t k = 0; k < n; ++k) {
        sum += term;
        term *= s / double(k + 1);
    }
    return std::min(1.0, sum);
}

void check(const data::Dataset& data, const ExposureOptions& options) {
    const auto fail = [](const std::string& message) { throw Error(ErrorCode::kUsage, message); };
    if (options.canaries < 1 || options.repeats.empty())
        fail("exposure needs at least one canary and one number of repeats");
    for (const int64_t repeats : options.repeats) {
        if (repeats < 0) fail("repeats of a canary must be >= 0, got " + std::to_string(repeats));
    }
    if (options.candidates < 99)
        fail("a canary is ranked among at least 99 candidates, got " +
             std::to_string(options.candidates));
    if (data.labels.empty() || data.class_names.size() < 2 || data.size() < 2) {
        throw Error(ErrorCode::kInvalid, "canaries are labelled examples of a classifier",
                    "give training data with at least 2 classes");
    }
}

// `count` members of R: every input from another example.
data::Dataset candidates_like(const data::Dataset& data, int64_t count, int64_t label,
                              Generator& generator) {
    const int64_t size = data.example_size();
    data::Dataset result = data::select_rows(data, {});
    result.inputs.resize(static_cast<size_t>(count * size));
    for (size_t k = 0; k < result.inputs.size(); ++k) {
        const int64_t from = below(generator, data.size());
        result.inputs[k] = data.inputs[from * size + static_cast<int64_t>(k) % size];
    }
    result.labels.assign(static_cast<size_t>(count), label);
    return result;
}

void append(const data::Dataset& more, data::Dataset& data) {
    data.inputs.insert(data.inputs.end(), more.inputs.begin(), more.inputs.end());
    data.labels.insert(data.labels.end(), more.labels.begin(), more.labels.end());
}

// The canary is the first of these candidates.
CanaryExposure rank_canary(const model::Model& model, const data::Dataset& candidates) {
    const std::vector<double> scores = confidence_of(model, candidates).log_odds;
    CanaryExposure canary;
    canary.label = candidates.labels[0];
    canary.log_odds = scores[0];
    const std::span others(scores.data() + 1, scores.size() - 1);
    canary.rank = 1 + std::count_if(others.begin(), others.end(),
                                    [&](double other) { return other >= scores[0]; });
    canary.exposure = exposure_of(canary.rank, std::ssize(scores));
    const SkewNormal law = SkewNormal::fit(others);
    canary.extrapolated = -law.log2_tail(scores[0]);
    canary.fit_distance = law.distance(others);
    return canary;
}

void summarise(ExposureGroup& group) {
    const auto n = std::ssize(group.canaries);
    std::vector<double> all;
    for (const CanaryExposure& canary : group.canaries) {
        all.push_back(canary.exposure);
        group.mean += canary.exposure / double(n);
        group.extrapolated_mean += canary.extrapolated / double(n);
        group.first += canary.rank == 1 ? 1 : 0;
    }
    std::sort(all.begin(), all.end());
    group.median = (all[(n - 1) / 2] + all[n / 2]) / 2;
    group.p_value = gamma_tail(n, group.mean * double(n) * std::log(2.0));
}

}  // namespace

double exposure_of(int64_t rank, int64_t space) {
    if (rank < 1 || rank > space) {
        throw Error(ErrorCode::kUsage, "a rank among " + std::to_string(space) +
                                           " lies between 1 and that, got " + std::to_string(rank));
    }
    return std::log2(double(space)) - std::log2(double(rank));
}

SkewNormal SkewNormal::fit(std::span<const double> values) {
    const auto n = double(values.size());
    double mean = 0, second = 0, third = 0;
    for (const double value : values) mean += value / n;
    for (const double value : values) {
        second += (value - mean) * (value - mean) / n;
        third += (value - mean) * (value - mean) * (value - mean) / n;
    }
    if (values.size() < 3 || !(second > 1e-24 * (1 + mean * mean)) || !std::isfinite(second)) {
        throw Error(ErrorCode::kInvalid, "a law is fitted to at least 3 values that differ",
                    "the model says the same of all candidates: it has learnt nothing");
    }
    const double skewness = third / std::pow(second, 1.5);
    // With c = (2 / (4 - pi))^(1/3) |skewness|^(1/3): the mean of the standard law over its
    // deviation; delta = shape / sqrt(1 + shape^2).
    const double most = 0.5 * (4 - M_PI) * std::pow(2 / M_PI, 1.5) / std::pow(1 - 2 / M_PI, 1.5);
    const double taken = std::min(std::abs(skewness), kMostSkewness * most);
    const double c = std::cbrt(2 * taken / (4 - M_PI));
    const double mu = c / std::sqrt(1 + c * c);  // mean of the standard law
    const double delta = std::copysign(std::min(mu * std::sqrt(M_PI / 2), 1 - 1e-12), skewness);
    SkewNormal law;
    law.shape_ = delta / std::sqrt(1 - delta * delta);
    law.scale_ = std::sqrt(second / (1 - 2 * delta * delta / M_PI));
    law.location_ = mean - law.scale_ * delta * std::sqrt(2 / M_PI);
    return law;
}

double SkewNormal::log2_tail(double x) const {
    const double z = (x - location_) / scale_;
    // P = integral over t > z of 2 phi(t) Phi(shape t). Far out phi(z) is taken out of it; below
    // the peak the rest, up to where nothing is left, is as wide as the law.
    const double from = z, width = z > 0 ? std::min(12.0, 45 / (1 + z)) : 12 - z;
    const double out = z > 0 ? z * z / 2 : 0;
    constexpr int kIntervals = 4000;
    double sum = 0;
    for (int k = 0; k <= kIntervals; ++k) {
        const double t = from + width * k / kIntervals;
        const double weight = k == 0 || k == kIntervals ? 1 : (k % 2 == 1 ? 4 : 2);  // Simpson
        sum += weight * std::exp(out - t * t / 2) * std::erfc(-shape_ * t / std::sqrt(2.0));
    }
    sum *= width / (3 * kIntervals) / std::sqrt(2 * M_PI);
    // A shape that underflows cannot be told from the smallest number.
    return std::min(0.0, std::log2(std::max(sum, 1e-300)) - out / std::log(2.0));
}

double SkewNormal::distance(std::span<const double> values) const {
    std::vector<double> sorted(values.begin(), values.end());
    std::sort(sorted.begin(), sorted.end());
    const auto n = double(sorted.size());
    // At some hundred of the values: between them the empirical law rises by the step alone.
    const size_t step = std::max<size_t>(1, sorted.size() / 200);
    double most = 0;
    for (size_t i = 0; i < sorted.size(); i += step) {
        const double law = 1 - std::exp2(log2_tail(sorted[i]));
        most = std::max({most, std::abs(law - double(i) / n), std::abs(law - double(i + 1) / n)});
    }
    return most;
}

ExposureResult measure_exposure(const data::Dataset& data, const data::Dataset& test,
                                const train::TrainOptions& training,
                                const ExposureOptions& options) {
    const auto start = std::chrono::steady_clock::now();
    check(data, options);
    Generator generator(options.seed);
    std::vector<data::Dataset> candidates;
    data::Dataset all = data;
    all.groups.clear();
    for (const int64_t repeats : options.repeats) {
        for (int64_t k = 0; k < options.canaries; ++k) {
            const int64_t label = below(generator, std::ssize(data.class_names));
            candidates.push_back(candidates_like(data, options.candidates + 1, label, generator));
            const std::vector<int64_t> copies(static_cast<size_t>(repeats), 0);
            append(data::select_rows(candidates.back(), copies), all);
        }
    }
    const train::TrainResult trained = train::train(all, training);
    ExposureResult result;
    if (trained.plan) result.claim = claim_of(*trained.plan);
    for (size_t k = 0; k < candidates.size(); ++k) {
        if (k % options.canaries == 0) result.groups.emplace_back();
        ExposureGroup& group = result.groups.back();
        group.repeats = options.repeats[result.groups.size() - 1];
        group.canaries.push_back(rank_canary(trained.model, candidates[k]));
        group.canaries.back().repeats = group.repeats;
    }
    for (ExposureGroup& group : result.groups) summarise(group);
    result.most = exposure_of(1, options.candidates + 1);
    nn::Network network(trained.model);
    result.accuracy = train::accuracy(train::predict(network, test), test);
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
}

}  // namespace ward::attack
