// `audit.html` and `audit.json`: what was claimed, what was found, and whether the two agree.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include "ward/audit/audit_plan.h"
#include "ward/audit/experiment.h"
#include "ward/audit/judge.h"
#include "ward/audit/report.h"

namespace ward::audit {

struct AuditFacts {
    std::string model_file, model_name, model_digest;
    std::string data_name;
    int64_t parameters = 0;
    std::string plan_name;  // "quick", or the file
    std::string created_utc, software, command;
    double seconds = 0;
};

Report make_audit_report(const AuditFacts& facts, const ModelClaims& claims,
                         const std::vector<ExperimentResult>& results, const Judgement& judgement);

// For programs: {"format": "ward-audit-1", "verdict": ..., "contradictions": [...], "gates": [...],
// "warnings": [...], "claims": {...}, "experiments": [...]}.
std::string audit_json(const AuditFacts& facts, const ModelClaims& claims,
                       const std::vector<ExperimentResult>& results, const Judgement& judgement);

}  // namespace ward::audit
