// A report from training records: each private model beside its non-private twin.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include "ward/audit/report.h"
#include "ward/audit/training_record.h"

namespace ward::audit {

struct TrainingReportOptions {
    std::string title = "Privacy report";
    std::string created_utc;            // empty: none is shown
    std::string software;               // of who makes the report
    std::vector<std::string> commands;  // in front of those of the records, e.g. "scripts/demo.sh"
};

// Records of one data digest and one model name belong together: a private record with its
// non-private twin, in the order in which the private ones come; several private runs (other
// epsilons) share one twin. Records without a partner stand alone. Throws Error kInvalid for no
// records or two non-private records of one pair.
Report make_training_report(const std::vector<TrainingRecord>& records,
                            const TrainingReportOptions& options);

// What (epsilon, delta) means for whoever tries to find out whether one unit was used (Kairouz, Oh,
// Viswanath 2015, theorem 2.1): the most that any attacker can reach.
double attack_accuracy_bound(double epsilon, double delta);  // members and others equally likely
double attack_hit_rate_bound(double epsilon, double delta, double false_alarm_rate);

}  // namespace ward::audit
