#include "ward/audit/group_plan.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ward::audit {
namespace {

dp::PlanRequest row_request() {
    dp::PlanRequest request;
    request.examples = 10'000;
    request.expected_batch = 100;
    request.steps = 200;
    request.delta = 1e-6;
    request.noise_multiplier = 4;
    request.dimension = 1000;
    request.sensitivity_margin = 1e-3;
    return request;
}

TEST(PlanForGroups, RestatesTheSameMechanismAtAHigherPrice) {
    const dp::PrivacyPlan rows = dp::PrivacyPlan::create(row_request());
    const dp::PrivacyPlan groups = plan_for_groups(rows, 5);
    EXPECT_TRUE(same_mechanism(rows, groups));
    EXPECT_EQ(groups.noise_sigma_steps(), rows.noise_sigma_steps());
    EXPECT_EQ(groups.grid_step(), rows.grid_step());
    EXPECT_EQ(groups.settings().max_contributions, 5);
    // Above the naive lower bound: one member alone costs epsilon(rows) already.
    EXPECT_GT(groups.epsilon().upper, rows.epsilon().upper);
    EXPECT_NEAR(groups.accounted_phase(1).sampling_rate, 1 - std::pow(0.99, 5), 1e-12);
    EXPECT_DOUBLE_EQ(groups.accounted_phase(1).noise_multiplier, 0.8);
    EXPECT_NEAR(plan_for_groups(rows, 1).epsilon().upper, rows.epsilon().upper, 1e-9);
}

TEST(PlanForGroups, ATargetIsMetForGroups) {
    const dp::PrivacyPlan rows = dp::PrivacyPlan::create(row_request());
    const dp::PrivacyPlan groups = plan_for_groups(rows, 5, 2.0);
    EXPECT_LE(groups.epsilon().upper, 2.0);
    EXPECT_GT(groups.epsilon().upper, 1.99);
    EXPECT_FALSE(same_mechanism(rows, groups)) << "it needs other noise";
    dp::PlanRequest request = row_request();
    request.noise_multiplier = groups.noise_multiplier();
    EXPECT_TRUE(same_mechanism(dp::PrivacyPlan::create(request), groups));
}

}  // namespace
}  // namespace ward::audit
