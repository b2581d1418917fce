// Claims against evidence: what contradicts, which gates hold, and one verdict.
//
// A gate holds only when the evidence shows it: the unfavourable end of the interval counts, and
// what was not measured is not shown. The verdict is never green while something is contradicted, a
// gate does not hold, a warning is up or an experiment is missing.
//
// Thread safety: pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ward/audit/audit_plan.h"
#include "ward/audit/experiment.h"

namespace ward::audit {

struct ModelClaims {
    std::optional<double> epsilon;  // proved, as the card says
    double delta = 0;
    std::optional<double> accounted_again;  // from the plan in the card
};

struct GateResult {
    enum class Outcome { kHolds, kFails, kNotShown };
    std::string gate;   // "max_epsilon 3"
    std::string found;  // "3.21"
    Outcome outcome = Outcome::kNotShown;
};

enum class Verdict { kGreen, kAmber, kRed };

struct Judgement {
    Verdict verdict = Verdict::kAmber;
    std::vector<std::string> contradictions;  // sentences
    std::vector<GateResult> gates;
    std::vector<std::string> warnings;  // flags of experiments, missing experiments

    // Whether a release must stop: exit code 3.
    bool refuses() const;
};

Judgement judge(const ModelClaims& claims, const std::vector<ExperimentResult>& results,
                const Gates& gates);

std::string_view verdict_name(Verdict verdict);  // "green", "amber", "red"

}  // namespace ward::audit
