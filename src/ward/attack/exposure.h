// Exposure of canaries: how much better a trained model knows a random example that it saw than the
// same kind of example that it did not see.
//
// Carlini, Liu, Erlingsson, Kos, Song: The Secret Sharer (USENIX Security 2019), section 4. A
// canary is drawn from a space R of random examples, inserted into the training data, and ranked by
// its loss among members of R: exposure = log2 |R| - log2 rank (definition 3). R is sampled
// (section 4.3), and where the canary is the first of all the exposure is extrapolated from a
// skew-normal law fitted to the others (the same section, there by likelihood, here by moments and
// on ln p / (1 - p), which is nearer to such a law than the loss of a classifier).
//
// For a classifier a member of R is an input whose every coordinate comes from another random
// example, so that it is like no person, and one label, drawn once for the canary, is the fixed
// part of the format. Without memorisation a canary is one of its candidates, its rank uniform, and
// exposure exceeds e with probability 2^-e: that is the law behind the p-value.
//
// Threat: the owner, who trains as the model was trained, with canaries added; the adversary of the
// measure sees scores of the final model and can guess the format. Thread safety: as train.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ward/attack/privacy_audit.h"
#include "ward/data/dataset.h"
#include "ward/train/trainer.h"

namespace ward::attack {

// log2 |R| - log2 rank, for rank 1 (the least loss) to |R| = space. Throws Error kUsage else.
double exposure_of(int64_t rank, int64_t space);

// A skew-normal law (Azzalini 1985) fitted by mean, deviation and skewness; the last is taken
// back to what such a law can have (0.995).
class SkewNormal {
  public:
    // Throws Error kInvalid for fewer than 3 values or values that are all the same.
    static SkewNormal fit(std::span<const double> values);

    double location() const { return location_; }
    double scale() const { return scale_; }
    double shape() const { return shape_; }

    // log2 P[X >= x], also where P underflows.
    double log2_tail(double x) const;
    // Largest difference to the empirical law of these values (Kolmogorov).
    double distance(std::span<const double> values) const;

  private:
    double location_ = 0, scale_ = 1, shape_ = 0;
};

struct ExposureOptions {
    std::vector<int64_t> repeats = {1, 4, 16};  // how often a canary stands in the training data
    int64_t canaries = 10;                      // for each of these
    int64_t candidates = 4095;                  // others of R that each is ranked among
    uint64_t seed = 1;                          // of canaries and candidates
};

struct CanaryExposure {
    int64_t repeats = 0, label = 0, rank = 0;
    double log_odds = 0;      // of its label, by the model
    double exposure = 0;      // by the rank
    double extrapolated = 0;  // by the fitted law
    double fit_distance = 0;  // of that law, to the candidates
};

// All canaries that stood in the data equally often.
struct ExposureGroup {
    int64_t repeats = 0;
    double mean = 0, median = 0, extrapolated_mean = 0;
    int64_t first = 0;   // canaries of rank 1
    double p_value = 1;  // of a mean at least so large without memorisation
    std::vector<CanaryExposure> canaries;
};

struct ExposureResult {
    std::vector<ExposureGroup> groups;
    double most = 0;                  // exposure that the number of candidates can show
    std::optional<AuditClaim> claim;  // of a private training, canaries included
    double accuracy = 0;              // of the model on `test`
    double seconds = 0;
};

// Trains once on `data` and all canaries. Throws Error kUsage (options out of range), kInvalid
// (data without classes) and what training throws.
ExposureResult measure_exposure(const data::Dataset& data, const data::Dataset& test,
                                const train::TrainOptions& training,
                                const ExposureOptions& options);

}  // namespace ward::attack
