// How good predictions are, with the uncertainty of every figure.
//
// Intervals cover with 95 % confidence. Sources: Wilson 1927 (score interval); Newcombe 1998,
// Statistics in Medicine 17, 873-890 (independent difference, method 10) and 2635-2650 (paired
// difference, method 10); Guo et al. 2017 (expected calibration error, 15 equal bins).
//
// Threat: figures computed from test examples say something about those examples; they are not
// covered by the privacy guarantee of the training data. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace ward::audit {

struct Interval {
    double low = 0, high = 0;
};

// Of a proportion successes / trials. {0, 1} for no trials. Throws Error kInvalid unless
// 0 <= successes <= trials.
Interval wilson_interval(int64_t successes, int64_t trials);

// first - second of two proportions.
struct Difference {
    double value = 0;
    Interval interval;
    bool paired = false;
};

// Two models on the same examples; 1 where a model is right. Throws Error kInvalid for unequal
// lengths or no examples.
Difference paired_difference(std::span<const uint8_t> first_right,
                             std::span<const uint8_t> second_right);

// Two models on different or unmatched examples; a wider interval.
Difference independent_difference(int64_t first_successes, int64_t first_trials,
                                  int64_t second_successes, int64_t second_trials);

// Examples whose largest probability lies in (low, high].
struct ReliabilityBin {
    double low = 0, high = 0;
    int64_t examples = 0;
    double mean_confidence = 0;  // 0 for an empty bin
    double accuracy = 0;
};

struct ClassMetrics {
    int64_t examples = 0;             // of this class
    std::optional<double> precision;  // nothing where the class was never predicted
    std::optional<double> recall;     // nothing where the class has no examples
};

struct Evaluation {
    int64_t examples = 0;
    int64_t correct = 0;
    double accuracy = 0;
    std::vector<std::vector<int64_t>> confusion;  // [true class][predicted class]
    std::vector<ReliabilityBin> reliability;      // may be empty
    std::optional<double> calibration_error;      // expected calibration error, in [0, 1]
    std::optional<double> log_loss;               // mean -ln p(label), p at least 1e-12
    std::optional<double> auc;                    // two classes only: ties count half
    std::vector<uint8_t> right;                   // per example, in the order of the test set
};

// From probabilities, examples x classes, row-major, and labels in [0, classes). The prediction is
// the first of the largest probabilities. Throws Error kInvalid for sizes that do not fit, fewer
// than 2 classes, no examples, labels out of range or probabilities outside [0, 1] (with slack
// 1e-4 for rounding), naming the example.
Evaluation evaluate(std::span<const float> probabilities, int64_t classes,
                    std::span<const int64_t> labels);

// Precision and recall of each class of a square confusion matrix.
std::vector<ClassMetrics> per_class(const std::vector<std::vector<int64_t>>& confusion);

// What accuracy is to be compared with where classes differ in size: always guessing the largest
// class reaches the majority share, and a balanced accuracy of 1 / classes. Classes without
// examples do not count. Throw Error kInvalid for a matrix without examples or not square.
double majority_share(const std::vector<std::vector<int64_t>>& confusion);  // of the largest class
double balanced_accuracy(const std::vector<std::vector<int64_t>>& confusion);  // mean recall

}  // namespace ward::audit
