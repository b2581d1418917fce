// One experiment of an audit: what is to be done, and what came out of it. Plain structs, so that
// the audit itself needs no LibTorch: who has the model runs them (`run_experiments.h`).
//
// Thread safety: value types.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ward/audit/metrics.h"

namespace ward::audit {

enum class ExperimentKind { kEvasion, kMembership, kPrivacy };

std::string_view kind_name(ExperimentKind kind);  // "evasion", "membership", "privacy"

struct ExperimentSpec {
    std::string id;  // "evasion-linf"; unique in a plan
    ExperimentKind kind = ExperimentKind::kEvasion;

    // evasion
    std::string attack = "apgd-ce", norm = "linf";
    std::vector<double> epsilons;
    int64_t steps = 0;  // 0: the attack's own
    int64_t count =
        200;  // examples; membership: at most so many members and as many others, 0: all

    // membership
    int64_t shadows = 8;
    std::vector<double> false_positive_rates = {0.001, 0.01};

    // privacy
    int64_t canaries = 5000;  // at most as many as the model has parameters
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
};

struct ExperimentResult {
    ExperimentSpec spec;
    ExperimentStatus status = ExperimentStatus::kDone;
    std::string reason;  // why it was skipped or failed
    double seconds = 0;
    double clean_accuracy = 0;             // evasion
    std::vector<RobustPoint> robust;       // evasion
    std::vector<MembershipCurve> curves;   // membership
    int64_t members = 0, others = 0;       // membership
    std::vector<AuditedEpsilon> epsilons;  // privacy
    std::vector<std::string> flags;        // what makes the figures doubtful
    std::string rerun;                     // command
};

// Of a whole list, for the state of a run and for audit.json.
std::string to_json(const std::vector<ExperimentResult>& results);
// Throws Error kCorrupt, beginning with `name`.
std::vector<ExperimentResult> parse_results(std::string_view json, const std::string& name);

}  // namespace ward::audit
