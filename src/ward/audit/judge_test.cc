#include "ward/audit/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "ward/audit/audit_report.h"
#include "ward/audit/render_html.h"
#include "ward/core/testing/errors.h"

namespace ward::audit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ward::testonly::message_of;
using Outcome = GateResult::Outcome;

ExperimentResult robust(const std::string& norm, std::vector<RobustPoint> points) {
    ExperimentResult result;
    result.spec.id = "evasion-" + norm;
    result.spec.norm = norm;
    result.spec.attack = "autoattack";
    result.clean_accuracy = 0.9;
    result.robust = std::move(points);
    return result;
}

ExperimentResult membership(double auc_high, double tpr_low, double tpr_high, double fpr_at_most) {
    ExperimentResult result;
    result.spec.id = "membership";
    result.spec.kind = ExperimentKind::kMembership;
    result.members = result.others = 1000;
    MembershipCurve curve;
    curve.attack = "lira-online";
    curve.auc = auc_high - 0.01;
    curve.auc_interval = {auc_high - 0.02, auc_high};
    curve.rates = {{0.01,
                    tpr_low + 0.001,
                    {tpr_low, tpr_high},
                    0.009,
                    fpr_at_most,
                    tpr_low,
                    {tpr_low, tpr_high},
                    true}};
    curve.x = {0, 0.01, 1};
    curve.y = {0, 0.02, 1};
    result.curves = {curve};
    return result;
}

ExperimentResult audited(bool contradicts) {
    ExperimentResult result;
    result.spec.id = "privacy";
    result.spec.kind = ExperimentKind::kPrivacy;
    result.epsilons = {{3, 1e-5, 1.2, contradicts ? 5.5 : 1.9, 5000, 300, 250, contradicts}};
    return result;
}

ExperimentResult copied(std::vector<CopyPoint> copies, const std::string& attack = "knockoff") {
    ExperimentResult result;
    result.spec.id = "extraction-" + attack;
    result.spec.kind = ExperimentKind::kExtraction;
    result.spec.attack = attack;
    result.clean_accuracy = 0.97;
    result.constant_fidelity = 0.1;
    result.copies = std::move(copies);
    return result;
}

ExperimentResult inverted() {
    ExperimentResult result;
    result.spec.id = "inversion-miface";
    result.spec.kind = ExperimentKind::kInversion;
    result.spec.attack = "miface";
    result.judge = "cnn trained on the test part";
    result.judge_accuracy = 0.95;
    const Picture picture{2, 1, 1, {0, 255}, ""};
    result.inverted = {{"cat", 0.9, "cat", 0.8, 8.5, 0.4, picture, picture},
                       {"d<o>g", 0.9, "cat", 0.1, 7.5, 0.2, picture, picture}};
    return result;
}

const ModelClaims kClaims{3.0, 1e-5, 3.0};

TEST(Judge, GreenNeedsGatesThatHoldAndNoWarning) {
    Gates gates;
    gates.max_epsilon = 3;
    gates.min_robust_accuracy = {{"linf", 0.1, 0.4}};
    std::vector<ExperimentResult> results = {robust("linf", {{0.1, 0.5, {0.45, 0.55}, 0.5}}),
                                             membership(0.55, 0.01, 0.03, 0.02), audited(false)};
    EXPECT_EQ(judge(kClaims, results, gates).verdict, Verdict::kGreen);
    EXPECT_FALSE(judge(kClaims, results, gates).refuses());
    EXPECT_EQ(judge(kClaims, results, {}).verdict, Verdict::kAmber) << "no gates, no decision";
    results[0].flags = {"gradients are zero"};
    const Judgement flagged = judge(kClaims, results, gates);
    EXPECT_EQ(flagged.verdict, Verdict::kAmber);
    EXPECT_THAT(flagged.warnings.at(0), HasSubstr("gradients are zero"));
    EXPECT_FALSE(flagged.refuses());
    results[0].flags.clear();
    results[2].status = ExperimentStatus::kSkipped;
    results[2].reason = "no time";
    EXPECT_EQ(judge(kClaims, results, gates).verdict, Verdict::kAmber) << "nothing may be missing";
}

// What cannot fail shows nothing.
TEST(Judge, WeakEvidenceIsNotGreen) {
    Gates gates;
    gates.max_auc = 0.6;
    gates.max_tpr_at_fpr = {{0.01, 0.05}};
    ExperimentResult weak = membership(0.55, 0.01, 0.03, 0.02);
    weak.curves[0].attack = "loss";
    for (const GateResult& gate : judge(kClaims, {weak}, gates).gates)
        EXPECT_EQ(gate.outcome, Outcome::kNotShown) << gate.gate;
    ExperimentResult leaking = membership(0.9, 0.1, 0.3, 0.02);
    leaking.curves[0].attack = "loss";
    for (const GateResult& gate : judge(kClaims, {leaking}, gates).gates)
        EXPECT_EQ(gate.outcome, Outcome::kFails) << gate.gate;
    Gates epsilon;
    epsilon.max_epsilon = 4;
    EXPECT_EQ(judge({3.0, 1e-5, {}}, {}, epsilon).gates[0].outcome, Outcome::kNotShown);
    Gates robustness;
    robustness.min_robust_accuracy = {{"linf", 0.1, 0.4}};
    ExperimentResult fgsm = robust("linf", {{0.1, 0.5, {0.45, 0.55}, 0.5}});
    fgsm.spec.attack = "fgsm";
    EXPECT_EQ(judge(kClaims, {fgsm}, robustness).verdict, Verdict::kAmber);
}

TEST(Judge, AnAuditAboveTheClaimIsAContradiction) {
    const Judgement judgement = judge(kClaims, {audited(true)}, {});
    EXPECT_EQ(judgement.verdict, Verdict::kRed);
    EXPECT_TRUE(judgement.refuses());
    ASSERT_EQ(judgement.contradictions.size(), 1u);
    EXPECT_THAT(judgement.contradictions[0], HasSubstr("claims epsilon 3; an audit of it shows "
                                                       "more than 5.5"));
}

TEST(Judge, APlanThatAccountsForMoreIsAContradiction) {
    EXPECT_TRUE(judge({3.0, 1e-5, 3.0}, {}, {}).contradictions.empty());
    EXPECT_THAT(judge({1.0, 1e-5, 3.0}, {}, {}).contradictions.at(0),
                HasSubstr("claims epsilon 1, but the plan it carries accounts for 3"));
}

// e^3 * 0.01 = 0.2: no attack finds more at that rate.
TEST(Judge, AnAttackBeyondTheGuaranteeIsAContradiction) {
    EXPECT_TRUE(judge(kClaims, {membership(0.9, 0.19, 0.3, 0.01)}, {}).contradictions.empty());
    const Judgement judgement = judge(kClaims, {membership(0.9, 0.25, 0.3, 0.01)}, {});
    EXPECT_THAT(judgement.contradictions.at(0),
                HasSubstr("lira-online finds at least 25.00\u00a0%"));
    EXPECT_TRUE(judge({}, {membership(0.9, 0.25, 0.3, 0.01)}, {}).contradictions.empty())
        << "who claims nothing is not contradicted";
}

TEST(Judge, GatesHoldByTheUnfavourableEnd) {
    Gates gates;
    gates.max_auc = 0.6;
    gates.max_tpr_at_fpr = {{0.01, 0.05}};
    gates.min_robust_accuracy = {{"linf", 0.1, 0.5}};
    const std::vector<ExperimentResult> near = {robust("linf", {{0.1, 0.52, {0.49, 0.55}, 0.6}}),
                                                membership(0.61, 0.01, 0.06, 0.02)};
    for (const GateResult& gate : judge({}, near, gates).gates)
        EXPECT_EQ(gate.outcome, Outcome::kFails) << gate.gate;
    const std::vector<ExperimentResult> good = {robust("linf", {{0.1, 0.55, {0.51, 0.6}, 0.6}}),
                                                membership(0.59, 0.01, 0.04, 0.02)};
    for (const GateResult& gate : judge({}, good, gates).gates)
        EXPECT_EQ(gate.outcome, Outcome::kHolds) << gate.gate;
    EXPECT_THAT(judge({}, good, gates).gates[2].found, HasSubstr("at least 0.51"));
}

// The threshold was found on the same others: its own uncertainty counts too.
TEST(Judge, RateGatesCountTheUncertaintyOfTheThreshold) {
    Gates gates;
    gates.max_tpr_at_fpr = {{0.01, 0.05}};
    ExperimentResult result = membership(0.59, 0.01, 0.04, 0.02);
    EXPECT_EQ(judge({}, {result}, gates).gates[0].outcome, Outcome::kHolds);
    result.curves[0].rates[0].at_wanted.high = 0.07;
    EXPECT_EQ(judge({}, {result}, gates).gates[0].outcome, Outcome::kFails);
}

// What counts for a contradiction is the bound for all attacks together.
TEST(Judge, ManyAttacksAreNotManyChances) {
    ExperimentResult result = membership(0.9, 0.25, 0.3, 0.01);
    result.curves[0].rates[0].found_at_least = 0.19;
    EXPECT_TRUE(judge(kClaims, {result}, {}).contradictions.empty());
}

TEST(Judge, AnExtractionGateAsksForBudgetsThatWereMeasured) {
    const auto outcome = [](std::vector<ExperimentResult> results) {
        Gates gates;
        gates.min_extraction_queries = {{0.9, 1000}};
        return judge({}, results, gates).gates.at(0).outcome;
    };
    const CopyPoint few{300, 0.7, {0.65, 0.75}, 0.7}, exact{1000, 0.85, {0.8, 0.89}, 0.8};
    const CopyPoint many{3000, 0.95, {0.93, 0.97}, 0.9}, cheap{300, 0.88, {0.85, 0.91}, 0.9};
    EXPECT_EQ(outcome({copied({few, exact, many})}), Outcome::kHolds);
    EXPECT_EQ(outcome({copied({few, many})}), Outcome::kNotShown) << "reached somewhere above";
    EXPECT_EQ(outcome({copied({few})}), Outcome::kNotShown) << "no budget so large";
    EXPECT_EQ(outcome({copied({cheap, many})}), Outcome::kFails) << "the upper end counts";
    EXPECT_EQ(outcome({copied({few, exact}), copied({cheap})}), Outcome::kFails);
    EXPECT_EQ(outcome({copied({few, exact}), copied({few, many})}), Outcome::kNotShown);
    EXPECT_EQ(outcome({}), Outcome::kNotShown);
    Gates gates;
    gates.min_extraction_queries = {{0.9, 1000}};
    EXPECT_EQ(judge({}, {copied({exact})}, gates).verdict, Verdict::kAmber) << "one attack alone";
    EXPECT_EQ(judge({}, {copied({exact}), copied({exact}, "jacobian")}, gates).verdict,
              Verdict::kGreen);
}

TEST(AuditReport, ShowsTheCurveOfCopiesAndThePictures) {
    const std::vector<ExperimentResult> results = {
        copied({{300, 0.7, {0.65, 0.75}, 0.7}, {1000, 0.85, {0.8, 0.89}, 0.8}}), inverted()};
    const Report report = make_audit_report({}, {}, results, judge({}, results, {}));
    const Chart& curve = report.subjects[0].sections[1].charts.at(0);
    EXPECT_TRUE(curve.x_log);
    EXPECT_EQ(curve.series[0].x, (std::vector<double>{300, 1000}));
    EXPECT_EQ(curve.series[0].low, (std::vector<double>{0.65, 0.8}));
    const std::string html = render_html(report);
    EXPECT_THAT(html, HasSubstr("1 of 2"));
    EXPECT_THAT(html, HasSubstr("; img-src data:"));
    EXPECT_THAT(html, HasSubstr("<img alt=\"class d&lt;o&gt;g: from the model\""));
    EXPECT_THAT(html, HasSubstr("seen as cat; SSIM 0.20, PSNR 7.5 dB"));
}

// On logarithmic axes, with what the guarantee allows above the attacks; and as errors of both
// kinds, with the training's own curve below them.
TEST(AuditReport, DrawsTheGuaranteeBesideTheAttacks) {
    ExperimentResult inside = audited(false);
    inside.epsilons[0].curve_x = {0, 0.5, 1};
    inside.epsilons[0].curve_y = {0.1, 0.8, 1};
    inside.epsilons[0].guess_x = {0, 1};
    inside.epsilons[0].guess_y = {0, 1};
    std::vector<ExperimentResult> results = {membership(0.55, 0.01, 0.03, 0.02), inside};
    results[0].curves.push_back(results[0].curves[0]);
    results[0].curves[1].auc = 0.5;
    results[0].curves[1].y[0] = 0.005;
    const Report report = make_audit_report({}, kClaims, results, judge(kClaims, results, {}));
    const Chart& roc = report.subjects[0].sections[1].charts.at(0);
    EXPECT_TRUE(roc.x_log && roc.y_log);
    EXPECT_EQ(roc.x_least, 1e-3) << "1000 others";
    EXPECT_EQ(roc.series[0].x, (std::vector<double>{0.01, 1})) << "no hits cannot be drawn";
    EXPECT_EQ(roc.series[1].x, (std::vector<double>{1e-3, 0.01, 1})) << "hits before the left edge";
    EXPECT_EQ(roc.series.back().name, "most under epsilon 3");
    EXPECT_NEAR(roc.series.back().y.front(), std::exp(3.0) * 1e-3 + 1e-5, 1e-9);
    const Chart& trade_off = report.subjects[0].sections[0].charts.at(0);
    ASSERT_EQ(trade_off.series.size(), 6u);
    EXPECT_THAT(trade_off.series[0].y,
                ::testing::Pointwise(::testing::DoubleEq(), {0.9, 0.2, 0.0}));
    EXPECT_TRUE(trade_off.series[2].points);
    EXPECT_NEAR(trade_off.series[2].y[0], 1 - 0.011, 1e-12) << "at the rate asked for";
    EXPECT_EQ(trade_off.series[5].name, "least under epsilon 3");
    EXPECT_NEAR(trade_off.series[5].y[0], 1 - 1e-5, 1e-12);
}

TEST(AuditReport, ARateBelowResolutionIsABound) {
    ExperimentResult result = membership(0.59, 0.01, 0.04, 0.02);
    result.spec.false_positive_rates = {0.01};
    result.curves[0].rates[0].resolved = false;
    result.curves[0].rates[0].at_wanted.high = 0.123;
    const std::string html =
        render_html(make_audit_report({}, kClaims, {result}, judge(kClaims, {result}, {})));
    EXPECT_THAT(html, HasSubstr("at most 12.3"));
    EXPECT_THAT(html, HasSubstr("too few others"));
}

TEST(Judge, WhatWasNotMeasuredIsNotShown) {
    Gates gates;
    gates.max_auc = 0.6;
    gates.max_tpr_at_fpr = {{0.001, 0.05}};
    gates.min_robust_accuracy = {{"l2", 0.1, 0.1}, {"linf", 0.2, 0.1}};
    std::vector<ExperimentResult> results = {robust("linf", {{0.1, 0.9, {0.8, 0.95}, 0.9}})};
    for (const GateResult& gate : judge({}, results, gates).gates)
        EXPECT_EQ(gate.outcome, Outcome::kNotShown) << gate.gate;
    EXPECT_TRUE(judge({}, results, gates).refuses());
    // A larger radius covers a smaller one, and the nearest of those counts.
    results.push_back(robust("linf", {{0.3, 0.5, {0.4, 0.6}, 0.5}, {0.9, 0.0, {0, 0.1}, 0}}));
    EXPECT_EQ(judge({}, results, gates).gates[3].outcome, Outcome::kHolds);
    gates = {};
    gates.max_epsilon = 10;
    EXPECT_EQ(judge({}, results, gates).gates[0].outcome, Outcome::kFails) << "no guarantee at all";
}

TEST(AuditReport, ShowsTheVerdictAndEscapesWhatItIsGiven) {
    AuditFacts facts;
    facts.model_name = "cnn<script>";
    facts.data_name = "digits";
    facts.plan_name = "quick";
    const std::vector<ExperimentResult> results = {robust("linf", {{0.1, 0.5, {0.45, 0.55}, 0.5}}),
                                                   membership(0.55, 0.01, 0.03, 0.02),
                                                   audited(true)};
    const Judgement judgement = judge(kClaims, results, {});
    const std::string html = render_html(make_audit_report(facts, kClaims, results, judgement));
    EXPECT_THAT(html, HasSubstr("CONTRADICTED"));
    EXPECT_THAT(html, HasSubstr("class=\"highlight bad\""));
    EXPECT_THAT(html, Not(HasSubstr("cnn<script>")));
    EXPECT_THAT(html, HasSubstr("lira-online"));
    const std::string json = audit_json(facts, kClaims, results, judgement);
    EXPECT_THAT(json, HasSubstr("\"verdict\": \"red\""));
    EXPECT_THAT(json, HasSubstr("\"epsilon_lower_by_curve\": 5.5"));
}

TEST(ExperimentResults, ComeBackAsTheyWent) {
    std::vector<ExperimentResult> results = {robust("l2", {{0.1, 0.5, {0.45, 0.55}, 0.5}}),
                                             membership(0.55, 0.01, 0.03, 0.02), audited(true),
                                             copied({{300, 0.7, {0.65, 0.75}, 0.7}}), inverted()};
    results[2].epsilons[0].curve_x = results[2].epsilons[0].curve_y = {0, 1};
    results[1].flags = {"few"};
    results[0].status = ExperimentStatus::kFailed;
    results[0].reason = "why";
    const std::string json = to_json(results);
    EXPECT_EQ(to_json(parse_results(json, "s")), json);
    EXPECT_EQ(parse_results(json, "s")[0].reason, "why");
    EXPECT_EQ(parse_results(json, "s")[2].epsilons[0].curve_x.size(), 2u);
    EXPECT_EQ(parse_results(json, "s")[4].inverted[1].found.pixels, (std::vector<uint8_t>{0, 255}));
    for (const char* bad : {"\"00fx\"", "\"00f\"", "\"00ff00\""}) {  // no digit, torn, too many
        std::string torn = json;
        torn.replace(torn.find("\"00ff\""), 6, bad);
        EXPECT_THAT(message_of([&] { parse_results(torn, "s.json"); }, ErrorCode::kCorrupt),
                    HasSubstr("s.json"));
    }
    EXPECT_EQ(parse_results(json, "s")[1].curves[0].rates[0].reached_at_most, 0.02);
    results[0].spec.attack = "\xa8utoattack";  // from a plan with bytes that are no UTF-8
    EXPECT_THAT(parse_results(to_json(results), "s")[0].spec.attack, HasSubstr("utoattack"));
    EXPECT_THAT(message_of([] { parse_results("[{}]", "s.json"); }, ErrorCode::kCorrupt),
                HasSubstr("s.json does not hold results"));
    EXPECT_THAT(message_of([&] { parse_results("[", "s.json"); }, ErrorCode::kCorrupt),
                HasSubstr("s.json"));
}

}  // namespace
}  // namespace ward::audit
