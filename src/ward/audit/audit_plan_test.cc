#include "ward/audit/audit_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "ward/core/testing/errors.h"

namespace ward::audit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ward::testonly::error_of;
using ward::testonly::message_of;

TEST(AuditPlan, ReadsExperimentsAndNamesThem) {
    const AuditPlan plan = parse_audit_plan(R"(
ward_audit: 1
budget_seconds: 600
experiments:
  - {kind: evasion, attack: autoattack, norm: l2, epsilon: [0.1, 0.5], count: 500}
  - {kind: evasion, attack: autoattack, norm: l2, epsilon: 1}
  - {kind: membership, shadows: 16, fpr: [0.01]}
  - {kind: privacy, canaries: 9000}
  - {kind: extraction, queries: 300, answer: labels}
  - {kind: inversion}
)",
                                            "audit.yaml");
    EXPECT_EQ(plan.budget_seconds, 600);
    ASSERT_EQ(plan.experiments.size(), 6u);
    EXPECT_EQ(plan.experiments[4].id, "extraction-knockoff");
    EXPECT_EQ(plan.experiments[4].queries, 300);
    EXPECT_EQ(plan.experiments[4].answer, "labels");
    EXPECT_EQ(plan.experiments[5].id, "inversion-miface");
    EXPECT_EQ(plan.experiments[0].id, "evasion-autoattack-l2");
    EXPECT_EQ(plan.experiments[1].id, "evasion-autoattack-l2-2");
    EXPECT_THAT(plan.experiments[0].epsilons, ElementsAre(0.1, 0.5));
    EXPECT_THAT(plan.experiments[1].epsilons, ElementsAre(1));
    EXPECT_EQ(plan.experiments[0].count, 500);
    EXPECT_EQ(plan.experiments[2].kind, ExperimentKind::kMembership);
    EXPECT_THAT(plan.experiments[2].false_positive_rates, ElementsAre(0.01));
    EXPECT_EQ(plan.experiments[3].canaries, 9000);
}

TEST(AuditPlan, ErrorsNameFileLineAndWhatIsKnown) {
    const auto message = [](const std::string& yaml) {
        return error_of([&] { parse_audit_plan(yaml, "p.yaml"); });
    };
    EXPECT_THAT(
        message("ward_audit: 1\nexperiments:\n  - kind: magic\n"),
        HasSubstr(
            "p.yaml line 3: expected one of evasion, extraction, inversion, membership, privacy, "
            "got 'magic'"));
    EXPECT_THAT(message("ward_audit: 1\nexperiment: []\n"),
                HasSubstr("p.yaml line 2: unknown key 'experiment' | known here: budget_seconds"));
    EXPECT_THAT(message("ward_audit: 2\n"), HasSubstr("only version 1"));
    EXPECT_THAT(message("experiments: [{kind: privacy}]"), HasSubstr("ward_audit is missing"));
    EXPECT_THAT(message("ward_audit: 1\nexperiments: [{kind: evasion}]"), HasSubstr("no epsilon"));
    EXPECT_THAT(message("ward_audit: 1\nexperiments: [{kind: privacy, canaries: 0}]"),
                HasSubstr("between 1 and 1000000000"));
    EXPECT_THAT(message("ward_audit: 1\nexperiments: [{kind: membership, shadows: 2.5}]"),
                HasSubstr("whole number"));
    EXPECT_THAT(message("ward_audit: 1"), HasSubstr("no experiments"));
    EXPECT_THAT(message("a: [1"), HasSubstr("is not YAML"));
    EXPECT_THAT(message("- 1"), HasSubstr("expected keys and values"));
}

TEST(AuditPlan, LevelsFitTheModel) {
    AuditedModel model{.images = true, .retrainable = true, .is_private = true, .parameters = 700};
    const AuditPlan quick = plan_of_level("quick", model);
    ASSERT_EQ(quick.experiments.size(), 5u);
    EXPECT_EQ(quick.experiments[4].canaries, 700) << "not more than parameters";
    std::set<std::string> ids;
    for (const ExperimentSpec& spec : plan_of_level("full", model).experiments)
        EXPECT_TRUE(ids.insert(spec.id).second) << spec.id;
    model.is_private = false;
    model.tokens = true;
    model.retrainable = false;
    const AuditPlan least = plan_of_level("standard", model);
    ASSERT_EQ(least.experiments.size(), 1u);
    EXPECT_EQ(least.experiments[0].shadows, 0) << "attacks without references remain";
    EXPECT_THAT(error_of([&] { plan_of_level("deep", model); }, ErrorCode::kUsage),
                HasSubstr("no audit level deep | choose quick, standard or full"));
}

TEST(Gates, ReadOneOrMany) {
    const Gates gates = parse_gates(R"(
ward_gate: 1
max_epsilon: 3
max_auc: 0.6
max_tpr_at_fpr: {fpr: 0.001, tpr: 0.01}
min_extraction_queries: {fidelity: 0.9, queries: 1000}
min_robust_accuracy:
  - {epsilon: 0.1, accuracy: 0.5}
  - {norm: l2, epsilon: 1, accuracy: 0.4}
)",
                                    "gate.yaml");
    EXPECT_EQ(gates.max_epsilon, 3);
    EXPECT_EQ(gates.max_auc, 0.6);
    ASSERT_EQ(gates.max_tpr_at_fpr.size(), 1u);
    EXPECT_EQ(gates.max_tpr_at_fpr[0].most, 0.01);
    ASSERT_EQ(gates.min_robust_accuracy.size(), 2u);
    EXPECT_EQ(gates.min_robust_accuracy[0].norm, "linf");
    ASSERT_EQ(gates.min_extraction_queries.size(), 1u);
    EXPECT_EQ(gates.min_extraction_queries[0].queries, 1000);
    EXPECT_TRUE(parse_gates("ward_gate: 1", "g").empty());
    EXPECT_THAT(
        message_of([] { parse_gates("ward_gate: 1\nmin_extraction_queries: {queries: 9}", "g"); }),
        HasSubstr("fidelity is missing"));
    EXPECT_THAT(message_of([] { parse_gates("ward_gate: 1\nmin_magic: 3", "g"); }),
                HasSubstr("g line 2: unknown key 'min_magic'"));
    EXPECT_THAT(message_of([] { parse_gates("ward_gate: 1\nmax_tpr_at_fpr: {tpr: 0.1}", "g"); }),
                HasSubstr("fpr is missing"));
    EXPECT_THAT(message_of([] { parse_gates("ward_gate: 1\nmax_epsilon: .nan", "g"); }),
                HasSubstr("expected a number"));
    EXPECT_THAT(message_of([] { parse_gates("max_epsilon: 1", "g"); }),
                HasSubstr("ward_gate is missing"));
}

}  // namespace
}  // namespace ward::audit
