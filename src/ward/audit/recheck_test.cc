#include "ward/audit/recheck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ward/audit/group_plan.h"
#include "ward/audit/privacy_facts.h"
#include "ward/audit/testing/sample_records.h"
#include "ward/audit/training_report.h"

namespace ward::audit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

dp::PrivacyPlan plan() {
    dp::PlanRequest request;
    request.examples = 1000;
    request.expected_batch = 50;
    request.steps = 100;
    request.delta = 1e-5;
    request.noise_multiplier = 2;
    return dp::PrivacyPlan::create(request);
}

TrainingRecord record_of(const PrivacyFacts& facts) {
    TrainingRecord record = sample_record(true);
    record.privacy = facts;
    return record;
}

TEST(Recheck, AgreesWithWhatThePlanGives) {
    for (const dp::PrivacyPlan& each : {plan(), plan_for_groups(plan(), 3)}) {
        const PrivacyFacts facts = privacy_facts(each, false);
        // Through the file, as the report gets it.
        const TrainingRecord record = parse_training_record(to_json(record_of(facts)), "r");
        const Recheck result = recheck(*record.privacy);
        EXPECT_TRUE(result.possible);
        EXPECT_THAT(result.disagreements, IsEmpty());
        EXPECT_NEAR(*result.epsilon_upper, facts.epsilon_upper, 1e-9);
    }
    EXPECT_FALSE(recheck(sample_privacy()).possible);
}

// Nothing is drawn where every example takes part; earlier cards called it Poisson sampling.
TEST(Recheck, APlanThatTakesEveryExampleHasNoSampler) {
    dp::PlanRequest request = plan().settings();
    EXPECT_EQ(privacy_facts(plan(), false).sampler, "poisson");
    request.expected_batch = request.examples;
    PrivacyFacts facts = privacy_facts(dp::PrivacyPlan::create(request), false);
    EXPECT_EQ(facts.sampler, kNoSampler);
    facts.sampler = "poisson";
    EXPECT_THAT(recheck(facts).disagreements, IsEmpty());
    EXPECT_EQ(shown_facts(facts, recheck(facts)).sampler, kNoSampler);
    facts.sampler = "shuffle";
    EXPECT_THAT(recheck(facts).disagreements, ElementsAre(HasSubstr("the sampler is recorded")));
}

TEST(Recheck, FindsFiguresThatDoNotFollowFromThePlan) {
    const PrivacyFacts honest = privacy_facts(plan(), false);
    PrivacyFacts facts = honest;
    facts.epsilon_upper = facts.epsilon_lower = honest.epsilon_upper / 2;
    EXPECT_THAT(recheck(facts).disagreements, ElementsAre(HasSubstr("epsilon is recorded as")));
    facts = honest;
    facts.delta = 1e-6;
    facts.steps = 10;
    facts.unit = "group";
    EXPECT_THAT(recheck(facts).disagreements,
                ElementsAre(HasSubstr("delta is recorded"), HasSubstr("number of steps"),
                            "the unit of privacy is recorded as group, the recorded plan protects "
                            "each example"));
    facts = honest;
    facts.statement = "Nobody can learn anything.";
    facts.adjacency = "replace one pixel";
    EXPECT_THAT(recheck(facts).disagreements, ElementsAre(HasSubstr("the change of the data")));
    const PrivacyFacts shown = shown_facts(facts, recheck(facts));
    EXPECT_EQ(shown.statement, honest.statement);
    EXPECT_EQ(shown.adjacency, honest.adjacency);
    facts = honest;
    facts.not_covered = {"one thing more"};
    EXPECT_THAT(shown_facts(facts, recheck(facts)).not_covered,
                ElementsAre(honest.not_covered[0], honest.not_covered[1], honest.not_covered[2],
                            "one thing more"));
    facts = honest;
    facts.plan_json = R"({"version":1})";
    EXPECT_THAT(recheck(facts).disagreements, ElementsAre(HasSubstr("cannot be accounted")));
}

TEST(Recheck, AReportShowsAContradictionInRed) {
    PrivacyFacts facts = privacy_facts(plan(), false);
    const Report good = make_training_report({record_of(facts)}, {});
    EXPECT_EQ(good.subjects[0].highlights.size(), 3u);
    const Evidence& confirmed = good.subjects[0].sections[0].evidence[0];
    EXPECT_EQ(confirmed.figures.back().note, "agrees");
    EXPECT_EQ(confirmed.support, Support::kProof);
    const double true_epsilon = facts.epsilon_upper;
    facts.epsilon_upper = facts.epsilon_lower = 0.1;
    const Report bad = make_training_report({record_of(facts)}, {});
    const Highlight& red = bad.subjects[0].highlights[1];
    EXPECT_EQ(red.tone, Highlight::Tone::kBad);
    EXPECT_THAT(red.detail, HasSubstr("epsilon is recorded as 0.1"));
    EXPECT_THAT(bad.subjects[0].verdict, HasSubstr("Do not rely on this record"));
    const Evidence& refuted = bad.subjects[0].sections[0].evidence[0];
    EXPECT_EQ(refuted.support, Support::kStatement);
    EXPECT_EQ(refuted.figures.back().value, true_epsilon);
    EXPECT_EQ(refuted.figures.back().note, "DIFFERS");
}

TEST(UnitOfPrivacy, TheHeadlineSaysWhomTheGuaranteeProtects) {
    TrainingRecord record = record_of(privacy_facts(plan_for_groups(plan(), 3), false));
    record.data.grouped = true;
    const Subject group = make_training_report({record}, {}).subjects[0];
    EXPECT_THAT(group.highlights[0].detail, HasSubstr("of each group of at most 3 rows"));
    EXPECT_THAT(group.verdict, HasSubstr("whether one group of at most 3 rows was used"));
    EXPECT_THAT(group.sections[0].evidence[0].claim, HasSubstr("for each group of at most 3 rows"));
    record = record_of(privacy_facts(plan(), false));
    record.data.grouped = true;
    const Subject rows = make_training_report({record}, {}).subjects[0];
    EXPECT_THAT(rows.highlights[0].detail,
                HasSubstr("of each row; not of a person with several rows"));
    EXPECT_EQ(rows.highlights[0].tone, Highlight::Tone::kCaution);
    EXPECT_THAT(rows.verdict, HasSubstr("a person with k rows"));
}

}  // namespace
}  // namespace ward::audit
