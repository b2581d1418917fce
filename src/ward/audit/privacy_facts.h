// The privacy section of cards and records, from the plan that was followed. It holds the plan
// itself, so that a card or record alone is enough to account again.
#pragma once

#include <string>

#include "ward/audit/training_record.h"
#include "ward/dp/plan.h"

namespace ward::audit {

// PrivacyFacts::sampler of a plan that draws nothing.
inline constexpr const char* kNoSampler = "none: every example takes part in every step";

// Figures of the whole plan and its statement, with what it does not cover.
PrivacyFacts privacy_facts(const dp::PrivacyPlan& plan, bool bounds_read_from_data);

}  // namespace ward::audit
