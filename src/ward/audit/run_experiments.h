// Runs the experiments of a plan one after the other, within a budget, and keeps what is done.
//
// After each experiment all results are written to the state file (atomically). A run that was
// stopped or killed goes on behind the last of them, as long as model, data and plan are the same.
// An experiment that fails is a result, too: the others go on.
//
// Thread safety: none.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "ward/audit/audit_plan.h"

namespace ward::audit {

// Does one experiment; throws ward::Error where it cannot.
using Experimenter = std::function<ExperimentResult(const ExperimentSpec& spec)>;

struct ExperimentRunOptions {
    std::string state_file;   // empty: nothing is kept
    std::string fingerprint;  // of everything that decides about results
    bool fresh = false;       // forget what an earlier run has done
    const std::atomic<bool>* stop = nullptr;
};

// Throws Error kInterrupted between experiments when asked to stop, kRefused for a state of another
// model, data or plan.
std::vector<ExperimentResult> run_experiments(const AuditPlan& plan, const Experimenter& experiment,
                                              const ExperimentRunOptions& options);

}  // namespace ward::audit
