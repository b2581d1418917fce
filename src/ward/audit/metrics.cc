#include "ward/audit/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "ward/core/error.h"

namespace ward::audit {
namespace {

constexpr double kZ95 = 1.959963984540054;  // 97.5 % quantile of the normal distribution
constexpr int kBins = 15;

[[noreturn]] void fail(const std::string& message) { throw Error(ErrorCode::kInvalid, message); }

double square(double x) { return x * x; }

void check_inputs(std::span<const float> probabilities, int64_t classes,
                  std::span<const int64_t> labels) {
    if (classes < 2 || classes > 1'000'000) {
        fail("evaluation needs 2 to 1000000 classes, got " + std::to_string(classes));
    }
    if (labels.empty()) fail("evaluation needs at least one example, got none");
    if (probabilities.size() / static_cast<size_t>(classes) != labels.size() ||
        probabilities.size() % static_cast<size_t>(classes) != 0) {
        fail("evaluation needs " + std::to_string(classes) + " probabilities for each of " +
             std::to_string(labels.size()) + " examples, got " +
             std::to_string(probabilities.size()) + " in all");
    }
    for (size_t i = 0; i < labels.size(); ++i) {
        if (labels[i] >= 0 && labels[i] < classes) continue;
        fail("label of example " + std::to_string(i) + " must be between 0 and " +
             std::to_string(classes - 1) + ", got " + std::to_string(labels[i]));
    }
    for (size_t i = 0; i < probabilities.size(); ++i) {
        if (probabilities[i] >= -1e-4f && probabilities[i] <= 1.0001f) continue;
        fail("probabilities of example " + std::to_string(i / static_cast<size_t>(classes)) +
             " must be between 0 and 1, got " + std::to_string(probabilities[i]));
    }
}

std::vector<ReliabilityBin> empty_bins() {
    std::vector<ReliabilityBin> bins(kBins);
    for (int i = 0; i < kBins; ++i) {
        bins[i].low = static_cast<double>(i) / kBins;
        bins[i].high = static_cast<double>(i + 1) / kBins;
    }
    return bins;
}

// Bin i covers (i / 15, (i + 1) / 15].
size_t bin_of(double confidence) {
    const int index = static_cast<int>(std::ceil(confidence * kBins)) - 1;
    return static_cast<size_t>(std::clamp(index, 0, kBins - 1));
}

// Sums in the bins become means; returns the expected calibration error.
double finish_bins(std::vector<ReliabilityBin>& bins, int64_t examples) {
    double error = 0;
    for (ReliabilityBin& bin : bins) {
        if (bin.examples == 0) continue;
        const auto count = static_cast<double>(bin.examples);
        bin.mean_confidence /= count;
        bin.accuracy /= count;
        error +=
            count / static_cast<double>(examples) * std::abs(bin.accuracy - bin.mean_confidence);
    }
    return error;
}

// Area under the ROC curve as the Mann-Whitney statistic with mid-ranks. Nothing when one class has
// no examples.
std::optional<double> auc_of(std::span<const float> probabilities,
                             std::span<const int64_t> labels) {
    std::vector<size_t> order(labels.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const auto score = [&](size_t i) { return probabilities[2 * i + 1]; };
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return score(a) < score(b); });
    double rank_sum = 0;
    int64_t positives = 0;
    for (size_t first = 0; first < order.size();) {
        size_t last = first;
        while (last < order.size() && score(order[last]) == score(order[first])) ++last;
        const double mid_rank = static_cast<double>(first + 1 + last) / 2;
        for (; first < last; ++first) {
            if (labels[order[first]] != 1) continue;
            rank_sum += mid_rank;
            ++positives;
        }
    }
    const auto p = static_cast<double>(positives);
    const double n = static_cast<double>(labels.size()) - p;
    if (p == 0 || n == 0) return std::nullopt;
    return (rank_sum - p * (p + 1) / 2) / (p * n);
}

}  // namespace

Interval wilson_interval(int64_t successes, int64_t trials) {
    if (successes < 0 || successes > trials) {
        fail("successes must be between 0 and " + std::to_string(trials) + " trials, got " +
             std::to_string(successes));
    }
    if (trials == 0) return {0, 1};
    const auto n = static_cast<double>(trials);
    const double p = static_cast<double>(successes) / n;
    const double centre = p + square(kZ95) / (2 * n);
    const double spread = kZ95 * std::sqrt(p * (1 - p) / n + square(kZ95 / (2 * n)));
    const double scale = 1 + square(kZ95) / n;
    // At 0 and n the bound is exactly 0 or 1; rounding must not move it.
    return {successes == 0 ? 0 : (centre - spread) / scale,
            successes == trials ? 1 : (centre + spread) / scale};
}

Difference paired_difference(std::span<const uint8_t> first_right,
                             std::span<const uint8_t> second_right) {
    if (first_right.size() != second_right.size() || first_right.empty()) {
        fail("a paired comparison needs the same examples for both models, got " +
             std::to_string(first_right.size()) + " and " + std::to_string(second_right.size()));
    }
    int64_t both = 0, only_first = 0, only_second = 0, neither = 0;
    for (size_t i = 0; i < first_right.size(); ++i) {
        const bool first = first_right[i] != 0, second = second_right[i] != 0;
        (first ? (second ? both : only_first) : (second ? only_second : neither)) += 1;
    }
    const auto count = static_cast<int64_t>(first_right.size());
    const auto n = static_cast<double>(count);
    const Interval one = wilson_interval(both + only_first, count);
    const Interval two = wilson_interval(both + only_second, count);
    const double p1 = static_cast<double>(both + only_first) / n;
    const double p2 = static_cast<double>(both + only_second) / n;
    // Correlation of the two proportions with Newcombe's continuity correction.
    double covariance = static_cast<double>(both) * static_cast<double>(neither) -
                        static_cast<double>(only_first) * static_cast<double>(only_second);
    if (covariance > 0) covariance = std::max(covariance - n / 2, 0.0);
    const double margins = p1 * (1 - p1) * p2 * (1 - p2) * square(square(n));
    const double phi = margins > 0 ? covariance / std::sqrt(margins) : 0;
    const double down1 = p1 - one.low, up1 = one.high - p1;
    const double down2 = p2 - two.low, up2 = two.high - p2;
    const double below = std::sqrt(square(down1) - 2 * phi * down1 * up2 + square(up2));
    const double above = std::sqrt(square(up1) - 2 * phi * up1 * down2 + square(down2));
    return {p1 - p2, {p1 - p2 - below, p1 - p2 + above}, true};
}

Difference independent_difference(int64_t first_successes, int64_t first_trials,
                                  int64_t second_successes, int64_t second_trials) {
    if (first_trials < 1 || second_trials < 1) fail("a comparison needs examples for both models");
    const Interval one = wilson_interval(first_successes, first_trials);
    const Interval two = wilson_interval(second_successes, second_trials);
    const double p1 = static_cast<double>(first_successes) / static_cast<double>(first_trials);
    const double p2 = static_cast<double>(second_successes) / static_cast<double>(second_trials);
    return {p1 - p2,
            {p1 - p2 - std::hypot(p1 - one.low, two.high - p2),
             p1 - p2 + std::hypot(one.high - p1, p2 - two.low)},
            false};
}

Evaluation evaluate(std::span<const float> probabilities, int64_t classes,
                    std::span<const int64_t> labels) {
    check_inputs(probabilities, classes, labels);
    const auto width = static_cast<size_t>(classes);
    Evaluation result;
    result.examples = static_cast<int64_t>(labels.size());
    result.confusion.assign(width, std::vector<int64_t>(width, 0));
    result.reliability = empty_bins();
    result.right.resize(labels.size());
    double loss = 0;
    for (size_t i = 0; i < labels.size(); ++i) {
        const std::span<const float> row = probabilities.subspan(i * width, width);
        const auto best =
            static_cast<size_t>(std::max_element(row.begin(), row.end()) - row.begin());
        const auto label = static_cast<size_t>(labels[i]);
        const bool right = best == label;
        result.right[i] = right ? 1 : 0;
        result.correct += right ? 1 : 0;
        ++result.confusion[label][best];
        ReliabilityBin& bin = result.reliability[bin_of(row[best])];
        ++bin.examples;
        bin.mean_confidence += row[best];
        bin.accuracy += right ? 1 : 0;
        loss -= std::log(std::clamp(static_cast<double>(row[label]), 1e-12, 1.0));
    }
    const auto n = static_cast<double>(result.examples);
    result.accuracy = static_cast<double>(result.correct) / n;
    result.calibration_error = finish_bins(result.reliability, result.examples);
    result.log_loss = loss / n;
    if (classes == 2) result.auc = auc_of(probabilities, labels);
    return result;
}

std::vector<ClassMetrics> per_class(const std::vector<std::vector<int64_t>>& confusion) {
    std::vector<ClassMetrics> list(confusion.size());
    std::vector<int64_t> predicted(confusion.size(), 0);
    for (size_t truth = 0; truth < confusion.size(); ++truth) {
        if (confusion[truth].size() != confusion.size()) {
            fail("a confusion matrix must be square, got row " + std::to_string(truth) + " with " +
                 std::to_string(confusion[truth].size()) + " of " +
                 std::to_string(confusion.size()) + " columns");
        }
        for (size_t guess = 0; guess < confusion.size(); ++guess) {
            list[truth].examples += confusion[truth][guess];
            predicted[guess] += confusion[truth][guess];
        }
    }
    for (size_t c = 0; c < confusion.size(); ++c) {
        const auto hits = static_cast<double>(confusion[c][c]);
        if (predicted[c] > 0) list[c].precision = hits / static_cast<double>(predicted[c]);
        if (list[c].examples > 0) list[c].recall = hits / static_cast<double>(list[c].examples);
    }
    return list;
}

double majority_share(const std::vector<std::vector<int64_t>>& confusion) {
    int64_t all = 0, most = 0;
    for (const ClassMetrics& metrics : per_class(confusion)) {
        all += metrics.examples;
        most = std::max(most, metrics.examples);
    }
    if (all == 0) fail("the share of the largest class needs examples, got none");
    return static_cast<double>(most) / static_cast<double>(all);
}

double balanced_accuracy(const std::vector<std::vector<int64_t>>& confusion) {
    double sum = 0;
    int present = 0;
    for (const ClassMetrics& metrics : per_class(confusion)) {
        if (!metrics.recall) continue;
        sum += *metrics.recall;
        ++present;
    }
    if (present == 0) fail("balanced accuracy needs examples, got none");
    return sum / present;
}

}  // namespace ward::audit
