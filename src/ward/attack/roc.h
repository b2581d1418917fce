// How well scores tell members from others, at the error rates that matter.
//
// An attack that is right about one person in a thousand with certainty is a breach that averages
// hide: the true-positive rate at a very low false-positive rate is reported beside the area under
// the curve (Carlini, Chien, Nasr, Song, Terzis, Tramer, "Membership Inference Attacks From First
// Principles", IEEE S&P 2022, section III). Every figure comes with its uncertainty:
// Clopper-Pearson for a rate at a fixed threshold, and a stratified percentile bootstrap over
// examples, which also moves the threshold. Both treat examples as independent and speak about this
// one trained model.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ward/attack/interval.h"

namespace ward::attack {

struct RocOptions {
    std::vector<double> false_positive_rates = {0.001, 0.01};
    int64_t resamples = 1000;
    uint64_t seed = 0;
};

struct RocPoint {
    double false_positive_rate = 0, true_positive_rate = 0;
};

// The best threshold that keeps the false-positive rate at or below the one wanted.
struct RateAt {
    double wanted = 0;               // false-positive rate
    double false_positive_rate = 0;  // reached
    double true_positive_rate = 0;
    double threshold = 0;  // scores >= threshold are called members
    Interval exact;        // 95 % Clopper-Pearson, threshold as it is
    Interval bootstrap;    // 95 %, threshold drawn along
    // Of the true-positive rate at the threshold whose false-positive rate truly is the one wanted:
    // 95 %, exact for any distribution. That threshold is caught between two scores of others by
    // the binomial law of how many lie above it, and the members above those by Clopper-Pearson;
    // each of the four errors gets a quarter of 5 %.
    Interval at_wanted;
    bool resolved = false;  // there are enough others for one of them to be a false positive
};

struct Roc {
    int64_t members = 0, others = 0;
    std::vector<RocPoint> points;  // from (0, 0) to (1, 1), one per distinct score
    double auc = 0;                // ties count half
    // 95 %, bootstrap; with fewer than 100 members or others, where resampling may see too little,
    // widened to Wilson's interval for as many trials (van Dantzig's bound on the variance).
    Interval auc_interval;
    double best_accuracy = 0;  // of the best threshold, members and others weighing the same
    std::vector<RateAt> at;
};

// The same rate with other confidence, for claims about several attacks at once: true-positive rate
// at least and false-positive rate at most, each one-sided.
struct SureRate {
    double true_positive_at_least = 0, false_positive_at_most = 1;
};
SureRate sure_rate(const Roc& roc, const RateAt& at, double one_sided_confidence);

// Higher scores mean member. Throws Error kInvalid for unequal lengths, scores that are not
// numbers, or no members or others, kUsage for rates outside (0, 1].
Roc roc_of(std::span<const double> scores, std::span<const uint8_t> member,
           const RocOptions& options = {});

}  // namespace ward::attack
