#include "ward/audit/group_plan.h"

namespace ward::audit {

dp::PrivacyPlan plan_for_groups(const dp::PrivacyPlan& rows, int64_t max_rows,
                                std::optional<double> target_epsilon) {
    dp::PlanRequest request = rows.settings();
    request.unit = dp::PrivacyUnit::kGroup;
    request.max_contributions = max_rows;
    request.target_epsilon = target_epsilon;
    if (target_epsilon) request.noise_multiplier.reset();
    return dp::PrivacyPlan::create(request);
}

bool same_mechanism(const dp::PrivacyPlan& a, const dp::PrivacyPlan& b) {
    const auto restated = [](const dp::PrivacyPlan& plan) {
        dp::PlanRequest request = plan.settings();
        request.unit = dp::PrivacyUnit::kGroup;
        request.max_contributions = 1;
        request.target_epsilon.reset();
        return dp::PrivacyPlan::create(request);
    };
    return restated(a) == restated(b);
}

}  // namespace ward::audit
