// The JSON form of a plan, its statement in words, and the cost of discrete noise.
#pragma once

#include <string>

#include "ward/dp/plan.h"

namespace ward::dp::internal {

// For `samples` draws of a discrete Gaussian of at least `sigma_steps` in place of continuous ones;
// the delta part holds for epsilon up to kGridSlackMaxEpsilon.
// docs/decisions/0011-privacy-accounting.md, section 5.
inline constexpr double kGridSlackMaxEpsilon = 300;
GridSlack grid_slack(double samples, double sigma_steps);

std::string plan_settings_text(const PlanRequest& settings);
std::string plan_text(const PrivacyPlan& plan);
PlanRequest parse_plan_settings(const std::string& text);

}  // namespace ward::dp::internal
