// Which experiments an audit makes, and what must hold for a release: `audit.yaml`, `gate.yaml`.
//
//   ward_audit: 1                          ward_gate: 1
//   budget_seconds: 600                    max_epsilon: 8
//   experiments:                           max_auc: 0.6
//     - kind: evasion                      max_tpr_at_fpr: {fpr: 0.01, tpr: 0.05}
//       attack: autoattack                 min_robust_accuracy:
//       norm: linf                           - {norm: linf, epsilon: 0.1, accuracy: 0.5}
//       epsilon: [0.1, 0.2]
//       count: 500
//     - kind: membership
//       shadows: 16
//     - kind: privacy
//       canaries: 10000
//     - kind: extraction                   min_extraction_queries:
//       queries: 5000                        - {fidelity: 0.9, queries: 1000}
//     - kind: inversion
//
// Threat: both files are untrusted; sizes and numbers are capped, unknown keys refused.
// Thread safety: pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ward/audit/experiment.h"

namespace ward::audit {

struct AuditPlan {
    std::string level;          // "quick", "standard", "full", or the name of a file
    double budget_seconds = 0;  // no experiment is begun after so long; 0: no limit
    std::vector<ExperimentSpec> experiments;
};

// What decides which experiments make sense.
struct AuditedModel {
    bool images = false;       // inputs are pixels in [0, 1]
    bool tokens = false;       // inputs are tokens: not moved by evasion
    bool retrainable = false;  // the card says how it was trained
    bool is_private = false;   // it claims a guarantee
    int64_t parameters = 0;
};

// Throws Error kUsage for another level than quick, standard and full.
AuditPlan plan_of_level(const std::string& level, const AuditedModel& model);

// Throws Error kInvalid naming file and line.
AuditPlan parse_audit_plan(const std::string& yaml, const std::string& name);

struct Gates {
    struct Rate {
        double false_positive_rate = 0, most = 1;
    };
    struct Robustness {
        std::string norm;
        double epsilon = 0, least = 0;
    };
    // A copy of this fidelity must take more than so many queries.
    struct Extraction {
        double fidelity = 0;
        int64_t queries = 0;
    };
    std::optional<double> max_epsilon;
    std::optional<double> max_auc;
    std::vector<Rate> max_tpr_at_fpr;
    std::vector<Robustness> min_robust_accuracy;
    std::vector<Extraction> min_extraction_queries;

    bool empty() const {
        return !max_epsilon && !max_auc && max_tpr_at_fpr.empty() && min_robust_accuracy.empty() &&
               min_extraction_queries.empty();
    }
};

// Throws Error kInvalid naming file and line.
Gates parse_gates(const std::string& yaml, const std::string& name);

}  // namespace ward::audit
