// What a training run guarantees to groups of rows, such as all rows of one person.
//
// Training samples and clips single rows. A group with at most K rows is touched by a step with
// probability 1 - (1-q)^K and then moves the sum by at most K clipping norms; a plan with groups as
// the unit accounts for that. The mechanism, and so the noise per row, is that of a plan for rows:
// only what is claimed of it changes (docs/decisions/0012-groups-as-unit.md). The bound on rows
// must hold: cut the data with data::LoadRequest::max_per_group.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>

#include "ward/dp/plan.h"

namespace ward::audit {

// The plan of `rows` with groups of at most `max_rows` as the unit: with the same noise, or with as
// much as `target_epsilon` needs for groups. Throws Error as dp::PrivacyPlan::create.
dp::PrivacyPlan plan_for_groups(const dp::PrivacyPlan& rows, int64_t max_rows,
                                std::optional<double> target_epsilon = {});

// Whether both plans do the same to the data, whatever unit they make claims about.
bool same_mechanism(const dp::PrivacyPlan& a, const dp::PrivacyPlan& b);

}  // namespace ward::audit
