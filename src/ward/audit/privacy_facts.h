// The privacy section of cards and records, from the plan that was followed.
#pragma once

#include <string>

#include "ward/audit/training_record.h"
#include "ward/dp/plan.h"

namespace ward::audit {

// Figures of the whole plan and its statement, with what it does not cover.
PrivacyFacts privacy_facts(const dp::PrivacyPlan& plan, bool bounds_read_from_data);

// The JSON object that model cards carry, with the members of a training record's "privacy" and the
// plan itself under "plan", so that a card alone is enough to account again.
std::string card_privacy_json(const PrivacyFacts& facts, const dp::PrivacyPlan& plan);

}  // namespace ward::audit
