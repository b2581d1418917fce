// The sections of one model in a training report.
#pragma once

#include <string>

#include "ward/audit/recheck.h"
#include "ward/audit/report.h"
#include "ward/audit/training_record.h"

namespace ward::audit {

struct RunPair {
    const TrainingRecord& run;
    const TrainingRecord* twin;  // the non-private twin, or null
    const std::string& id;       // of the subject: prefix of the ids of its evidence
    const Recheck& recheck;      // of run.privacy
};

Section privacy_section(const RunPair& pair);      // needs run.privacy
Section accuracy_section(const RunPair& pair);     // needs run.evaluation
Section calibration_section(const RunPair& pair);  // needs run.evaluation with reliability
Section facts_section(const RunPair& pair);

// Whom the guarantee protects: "example", "row", "group of at most 4 rows".
std::string unit_text(const TrainingRecord& run);

// run - twin; paired where both say which examples they got right.
Difference difference_of(const Evaluation& run, const Evaluation& twin);

// An upper bound must not be rounded down: 2.9301 -> "2.94", 0.9486 -> "94.9 %".
std::string epsilon_text(double epsilon);
std::string percent_up(double fraction);

}  // namespace ward::audit
