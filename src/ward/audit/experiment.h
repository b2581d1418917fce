// One experiment of an audit: what is to be done, and what came out of it. Plain structs, so that
// the audit itself needs no LibTorch: who has the model runs them (`run_experiments.h`).
//
// Thread safety: value types.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ward/audit/gallery.h"
#include "ward/audit/metrics.h"

namespace ward::audit {

enum class ExperimentKind { kEvasion, kMembership, kPrivacy, kExtraction, kInversion };

// "evasion", "membership", "privacy", "extraction", "inversion"
std::string_view kind_name(ExperimentKind kind);

struct ExperimentSpec {
    std::string id;  // "evasion-linf"; unique in a plan
    ExperimentKind kind = ExperimentKind::kEvasion;

    // evasion, extraction ("knockoff"), inversion ("miface")
    std::string attack = "apgd-ce";
    int64_t steps = 0;  // evasion, inversion; 0: the attack's own
    // Examples; membership: at most so many members and as many others; extraction: inputs on which
    // copy and model are compared. 0: all.
    int64_t count = 200;

    // evasion
    std::string norm = "linf";
    std::vector<double> epsilons;

    // membership
    int64_t shadows = 8;
    std::vector<double> false_positive_rates = {0.001, 0.01};

    // privacy
    int64_t canaries = 5000;  // at most as many as the model has parameters

    // extraction
    int64_t queries = 1000;         // at most as many as there are inputs to ask about
    std::string answer = "scores";  // or "labels": what the service tells
};

enum class ExperimentStatus { kDone, kSkipped, kFailed };

struct RobustPoint {
    double epsilon = 0, accuracy = 0;
    Interval interval;
    double accuracy_8bit = 0;
};

struct RatePoint {
    double false_positive_rate = 0, true_positive_rate = 0;
    Interval interval;           // of the true-positive rate, threshold as it was found
    double reached = 0;          // the false-positive rate at that threshold
    double reached_at_most = 0;  // its upper limit, and
    double found_at_least = 0;   // the lower limit of the true-positive rate there: 95 % together,
                                 // and for all rates of all attacks of the experiment at once
    Interval at_wanted;          // of the true-positive rate where the false-positive rate truly
                                 // is the one wanted; 95 %
    bool resolved = false;       // there were enough others
};

struct MembershipCurve {
    std::string attack;
    double auc = 0;
    Interval auc_interval;
    std::vector<RatePoint> rates;
    std::vector<double> x, y;  // false- and true-positive rates, increasing, thinned
};

struct AuditedEpsilon {
    double claimed = 0, delta = 0;
    double lower = 0, curve_lower = 0;  // 95 % each
    int64_t canaries = 0, guesses = 0, correct = 0;
    bool contradicts = false;
    // False-positive and most true-positive rates under the curve of the claimed mechanism, and
    // those of the auditor's guesses about the canaries; increasing.
    std::vector<double> curve_x, curve_y, guess_x, guess_y;
};

// A copy trained on the answers to so many queries.
struct CopyPoint {
    int64_t queries = 0;
    double fidelity = 0;  // share of the inputs on which copy and model say the same class
    Interval interval;
    double accuracy = 0;
};

// What came back for one class.
struct InvertedClass {
    std::string name;
    double confidence = 0;        // of the model
    std::string judged;           // the class that the judge sees in it
    double judge_confidence = 0;  // in the right class
    double psnr = 0, ssim = 0;    // to the mean of the class
    Picture mean, found;
};

struct ExperimentResult {
    ExperimentSpec spec;
    ExperimentStatus status = ExperimentStatus::kDone;
    std::string reason;  // why it was skipped or failed
    double seconds = 0;
    double clean_accuracy = 0;             // evasion, extraction, inversion: of the model
    std::vector<RobustPoint> robust;       // evasion
    std::vector<MembershipCurve> curves;   // membership
    int64_t members = 0, others = 0;       // membership
    std::vector<AuditedEpsilon> epsilons;  // privacy
    std::vector<CopyPoint> copies;         // extraction, by queries
    double constant_fidelity = 0;          // extraction: of saying one class for all
    std::vector<InvertedClass> inverted;   // inversion
    std::string judge;                     // inversion: who says what the pictures show
    double judge_accuracy = 0;             // inversion
    std::vector<std::string> flags;        // what makes the figures doubtful
    std::string rerun;                     // command
};

// Of a whole list, for the state of a run and for audit.json.
std::string to_json(const std::vector<ExperimentResult>& results);
// Throws Error kCorrupt, beginning with `name`.
std::vector<ExperimentResult> parse_results(std::string_view json, const std::string& name);

}  // namespace ward::audit
