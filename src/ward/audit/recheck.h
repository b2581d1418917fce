// Accounts again for what a record says was done, so that a report does not repeat an epsilon that
// its own plan does not give.
//
// Threat: a record or card is a statement of whoever trained. A recheck shows that epsilon follows
// from the recorded plan; that the plan is what ran, only the trainer knows. Thread safety: pure
// functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ward/audit/training_record.h"
#include "ward/dp/mechanism.h"

namespace ward::audit {

struct Recheck {
    bool possible = false;                          // false: the record holds no plan
    std::optional<double> epsilon_upper;            // nothing where the plan cannot be accounted
    std::optional<dp::SampledGaussianPhase> phase;  // as accounted; for groups not that of rows
    std::vector<std::string> disagreements;         // in plain words; empty: all agrees
    std::optional<PrivacyFacts> planned;            // figures and words that the plan itself gives
};

// Runs the accountant of module dp on the recorded plan and compares each recorded figure with it;
// epsilon to 1e-3 relative, the certainty of the accountant's own bounds.
Recheck recheck(const PrivacyFacts& privacy);

// `recorded` as people may be shown it: in the plan's own words, of this version of Ward, whatever
// the record says, and with all that no guarantee covers. Figures stay as recorded.
PrivacyFacts shown_facts(const PrivacyFacts& recorded, const Recheck& recheck);

}  // namespace ward::audit
