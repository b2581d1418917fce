#include "ward/dp/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "ward/core/error.h"
#include "ward/dp/discrete_gaussian.h"

namespace ward::dp {
namespace {

using ::testing::HasSubstr;

PlanRequest request() {
    PlanRequest r;
    r.examples = 60000;
    r.expected_batch = 256;
    r.steps = 1000;
    r.delta = 1e-5;
    r.noise_multiplier = 1.1;
    r.dimension = 26010;
    r.sensitivity_margin = 1e-6;
    return r;
}

TEST(PrivacyPlan, EpsilonIsThatOfItsPhasesPlusTheSlack) {
    const PrivacyPlan plan = PrivacyPlan::create(request());
    const SampledGaussianPhase phase{256.0 / 60000, 1.1, 1000};
    const CertifiedValue bare = pld_epsilon({&phase, 1}, 1e-5);
    const PlanEpsilon got = plan.epsilon();
    EXPECT_GE(got.upper, bare.upper);
    EXPECT_LT(got.upper, bare.upper + 1e-4);
    EXPECT_LE(got.lower, got.upper);
    EXPECT_GT(got.rdp, got.upper);
    EXPECT_EQ(plan.epsilon_after(0).upper, 0);
    EXPECT_LT(plan.epsilon_after(500).upper, got.lower);
    EXPECT_LT(plan.slack().epsilon, 1e-8);
    EXPECT_LT(plan.slack().delta, 1e-30);
    EXPECT_GT(plan.slack().epsilon, 0);
}

TEST(PrivacyPlan, TargetEpsilonIsMetFromBelow) {
    for (ClippingKind clipping : {ClippingKind::kFlat, ClippingKind::kAdaptive}) {
        for (Accountant accountant : {Accountant::kPld, Accountant::kRdp}) {
            PlanRequest r = request();
            r.noise_multiplier.reset();
            r.target_epsilon = 2;
            r.clipping = clipping;
            r.accountant = accountant;
            const PrivacyPlan plan = PrivacyPlan::create(r);
            EXPECT_LE(plan.epsilon().upper, 2);
            EXPECT_GT(plan.epsilon().upper, 1.995);
        }
    }
}

TEST(PrivacyPlan, LatticeIsFineAndFitsTheSampler) {
    for (double noise : {0.1, 1.0, 30.0}) {
        for (int64_t dimension : {int64_t{1}, int64_t{1900000}, int64_t{1} << 33}) {
            PlanRequest r = request();
            r.noise_multiplier = noise;
            r.dimension = dimension;
            r.expected_batch = r.examples = 1;
            r.steps = 1;
            const PrivacyPlan plan = PrivacyPlan::create(r);
            EXPECT_GE(plan.noise_sigma_steps(), 0x1p24);
            EXPECT_LE(plan.noise_sigma_steps(), DiscreteGaussian::kMaxSigma32);
            // The noise really added is the multiplier times the sensitivity after rounding.
            const double rounding = std::sqrt(static_cast<double>(dimension)) * plan.grid_step();
            EXPECT_NEAR(plan.noise_sigma_steps() * plan.grid_step(), noise * (1 + 1e-6 + rounding),
                        1e-9 * noise);
            EXPECT_LE(rounding, 0.5);
        }
    }
}

TEST(PrivacyPlan, AdaptiveClippingSharesTheNoise) {
    PlanRequest r = request();
    r.clipping = ClippingKind::kAdaptive;
    const PrivacyPlan plan = PrivacyPlan::create(r);
    EXPECT_DOUBLE_EQ(plan.count_noise(), 256 / 20.0);
    const double sum = plan.gradient_noise_multiplier();
    EXPECT_GT(sum, 1.1);
    const double count = 2 * plan.count_noise();
    EXPECT_NEAR(1 / (sum * sum) + 1 / (count * count), 1 / (1.1 * 1.1), 1e-12);
    r.adaptive.count_noise = 0.5;
    EXPECT_THROW(PrivacyPlan::create(r), Error);
}

TEST(PrivacyPlan, PerLayerNormsAddUpAsSquares) {
    PlanRequest r = request();
    r.clipping = ClippingKind::kPerLayer;
    r.layer_norms = {3, 4};
    EXPECT_DOUBLE_EQ(PrivacyPlan::create(r).clipping_norm(), 5);
}

TEST(PrivacyPlan, GroupsCostMore) {
    PlanRequest r = request();
    const double one = PrivacyPlan::create(r).epsilon().upper;
    r.unit = PrivacyUnit::kGroup;
    r.max_contributions = 3;
    const PrivacyPlan plan = PrivacyPlan::create(r);
    EXPECT_NEAR(plan.accounted_phase(1).sampling_rate, 1 - std::pow(1 - 256 / 60000.0, 3), 1e-12);
    EXPECT_NEAR(plan.accounted_phase(1).noise_multiplier, 1.1 / 3, 1e-12);
    EXPECT_GT(plan.epsilon().upper, 3 * one);
    r.noise_multiplier.reset();
    r.target_epsilon = 2;
    EXPECT_LE(PrivacyPlan::create(r).epsilon().upper, 2);
}

TEST(PrivacyPlan, JsonRoundTrip) {
    for (ClippingKind clipping : {ClippingKind::kFlat, ClippingKind::kPerLayer,
                                  ClippingKind::kAutomatic, ClippingKind::kAdaptive}) {
        PlanRequest r = request();
        r.clipping = clipping;
        r.layer_norms = {0.5, 0.25};
        r.noise_multiplier.reset();
        r.target_epsilon = 3;
        const PrivacyPlan plan = PrivacyPlan::create(r);
        const PrivacyPlan copy = PrivacyPlan::from_json(plan.to_json());
        EXPECT_EQ(copy, plan);
        EXPECT_EQ(copy.to_json(), plan.to_json());
        EXPECT_EQ(copy.settings().target_epsilon, 3);
    }
    PlanRequest other = request();
    other.steps = 999;
    EXPECT_FALSE(PrivacyPlan::create(other) == PrivacyPlan::create(request()));
}

TEST(PrivacyPlan, FiguresInTheFileAreNotBelieved) {
    std::string text = PrivacyPlan::create(request()).to_json();
    const auto at = text.find("\"epsilon_upper\": ");
    ASSERT_NE(at, std::string::npos);
    text.replace(at, std::string("\"epsilon_upper\": ").size(), "\"epsilon_upper\": 0.0, \"x\": ");
    EXPECT_GT(PrivacyPlan::from_json(text).epsilon().upper, 0.5);
}

Error error_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        return error;
    }
    return Error(ErrorCode::kInternal, "no error");
}

TEST(PrivacyPlan, HostileTextIsCorrupt) {
    const std::string good = PrivacyPlan::create(request()).to_json();
    for (const std::string& bad :
         {std::string(), std::string("{}"), std::string("[1]"), good.substr(0, good.size() / 2),
          std::string("null"), std::string("{\"version\": \"x\"}")}) {
        const Error error = error_of([&] { PrivacyPlan::from_json(bad); });
        EXPECT_EQ(error.code(), ErrorCode::kCorrupt) << bad << error.message();
        EXPECT_THAT(error.message(), HasSubstr("privacy plan: "));
    }
    std::string newer = good;
    newer.replace(newer.find("\"version\": 1"), 12, "\"version\": 2");
    EXPECT_EQ(error_of([&] { PrivacyPlan::from_json(newer); }).code(), ErrorCode::kUnsupported);
    std::string shuffled = good;
    shuffled.replace(shuffled.find("poisson"), 7, "shuffle");
    EXPECT_EQ(error_of([&] { PrivacyPlan::from_json(shuffled); }).code(), ErrorCode::kRefused);
}

TEST(PrivacyPlan, IncoherentRequestsAreRefusedByName) {
    const auto fails = [](const std::function<void(PlanRequest&)>& spoil, ErrorCode code,
                          const std::string& text) {
        PlanRequest r = request();
        spoil(r);
        const Error error = error_of([&] { PrivacyPlan::create(r); });
        EXPECT_EQ(error.code(), code) << text;
        EXPECT_THAT(error.message(), HasSubstr(text));
    };
    const auto usage = ErrorCode::kUsage;
    fails([](auto& r) { r.sampler = SamplerKind::kShuffle; }, ErrorCode::kRefused, "Poisson");
    fails([](auto& r) { r.sampler = SamplerKind::kCustom; }, ErrorCode::kRefused, "Poisson");
    fails([](auto& r) { r.examples = 0; }, usage, "number of examples must be at least 1, got 0");
    fails([](auto& r) { r.expected_batch = 0; }, usage, "batch size must be at least 1, got 0");
    fails([](auto& r) { r.expected_batch = 60001; }, usage,
          "at most the number of examples (60000)");
    fails([](auto& r) { r.steps = 0; }, usage, "number of steps must be at least 1, got 0");
    fails([](auto& r) { r.delta = 0; }, usage, "delta must be in (0, 1), got 0");
    fails([](auto& r) { r.delta = 1; }, usage, "delta must be in (0, 1), got 1");
    fails([](auto& r) { r.target_epsilon = 1; }, usage, "got both");
    fails([](auto& r) { r.noise_multiplier.reset(); }, usage, "got neither");
    fails([](auto& r) { r.noise_multiplier = -1; }, usage, "finite and > 0, got -1");
    fails([](auto& r) { r.noise_multiplier = 0.02; }, ErrorCode::kRefused, "protects nothing");
    fails([](auto& r) { r.clipping_norm = NAN; }, usage, "clipping norm must be finite and > 0");
    fails([](auto& r) { r.dimension = 0; }, usage, "number of parameters");
    fails([](auto& r) { r.sensitivity_margin = -0.1; }, usage, "sensitivity margin");
    fails([](auto& r) { r.max_contributions = 2; }, usage, "contributions with examples");
    fails([](auto& r) { r.clipping = ClippingKind::kPerLayer; }, usage, "one norm for each layer");
    const auto target = [](double epsilon) {
        return [epsilon](PlanRequest& r) {
            r.noise_multiplier.reset();
            r.target_epsilon = epsilon;
        };
    };
    fails(target(0), usage, "epsilon must be finite and > 0, got 0");
    fails(target(INFINITY), usage, "epsilon must be finite and > 0, got inf");
    fails(target(1e-12), ErrorCode::kRefused, "what discrete noise costs");
}

TEST(PrivacyPlan, WarnsAndExplains) {
    PlanRequest r = request();
    r.delta = 1e-4;
    const PrivacyPlan plan = PrivacyPlan::create(r);
    ASSERT_EQ(plan.warnings().size(), 1u);
    EXPECT_THAT(plan.warnings()[0], HasSubstr("not below 1 / 60000"));
    EXPECT_TRUE(PrivacyPlan::create(request()).warnings().empty());
    const std::string text = plan.statement();
    for (const char* part : {"adding or removing one training example", "256/60000",
                             "Poisson sampling", "0.0001", "Not covered", "1000 steps"}) {
        EXPECT_THAT(text, HasSubstr(part));
    }
}

TEST(PrivacyPlan, StepsBeyondThePlanAreRefused) {
    const PrivacyPlan plan = PrivacyPlan::create(request());
    EXPECT_THROW(plan.epsilon_after(1001), Error);
    EXPECT_THROW(plan.epsilon_after(-1), Error);
}

}  // namespace
}  // namespace ward::dp
