#include "ward/attack/exposure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "ward/attack/internal/rows.h"
#include "ward/attack/interval.h"
#include "ward/core/progress.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/data/load.h"
#include "ward/model/zoo.h"

namespace ward::attack {
namespace {

const bool kQuiet = [] {
    set_progress_mode(ProgressMode::kOff);
    return true;
}();

using ::testing::HasSubstr;
using ward::testonly::message_of;

data::Dataset digits() {
    data::LoadRequest request;
    request.data = "digits";
    return data::load_dataset(request).dataset;
}

train::TrainOptions training(const data::Dataset& data, double epochs) {
    train::TrainOptions options;
    model::ZooOptions zoo;
    zoo.input_shape = data.example_shape;
    zoo.outputs = 10;
    zoo.hidden = {64};
    options.spec = model::make_model("mlp", zoo);
    options.batch_size = 32;
    options.epochs = epochs;
    options.evaluations = 1;
    options.schedule.learning_rate = 0.3;
    options.step_random = [](int64_t step) {
        return testonly::seeded_random(4, static_cast<uint64_t>(step));
    };
    return options;
}

TEST(Exposure, IsTheLogarithmOfTheRank) {
    EXPECT_DOUBLE_EQ(exposure_of(1, 1024), 10);
    EXPECT_DOUBLE_EQ(exposure_of(256, 1024), 2);
    EXPECT_DOUBLE_EQ(exposure_of(1024, 1024), 0);
    EXPECT_THAT(message_of([] { exposure_of(0, 8); }, ErrorCode::kUsage), HasSubstr("got 0"));
}

TEST(SkewNormal, FitsItsOwnDraws) {
    // delta U + sqrt(1 - delta^2) V with U > 0 is skew-normal of shape delta / sqrt(1 - delta^2).
    for (const double delta : {0.0, 0.9, -0.7}) {
        Generator generator(3);
        std::vector<double> draws;
        for (int k = 0; k < 20000; ++k) {
            const double u = std::abs(gaussian(generator)), v = gaussian(generator);
            draws.push_back(2 + 3 * (delta * u + std::sqrt(1 - delta * delta) * v));
        }
        const SkewNormal law = SkewNormal::fit(draws);
        // At no skewness the shape is not to be told from small ones: its law is.
        EXPECT_LT(law.distance(draws), 0.015) << delta;
        if (delta == 0) continue;
        EXPECT_NEAR(law.location(), 2, 0.3) << delta;
        EXPECT_NEAR(law.scale(), 3, 0.2) << delta;
        EXPECT_NEAR(law.shape(), delta / std::sqrt(1 - delta * delta), 0.35) << delta;
    }
}

TEST(SkewNormal, TailsAreThoseOfTheNormalLawWithoutSkewness) {
    std::vector<double> symmetric;
    for (int k = 1; k < 2000; ++k) symmetric.push_back(normal_quantile(k / 2000.0));
    const SkewNormal law = SkewNormal::fit(symmetric);
    EXPECT_NEAR(law.shape(), 0, 0.1);
    for (const double x : {-8.0, -1.0, 0.0, 2.0, 5.0}) {
        const double z = x * law.scale() + law.location();
        EXPECT_NEAR(law.log2_tail(z), std::log2(0.5 * std::erfc(x / std::sqrt(2.0))), 0.3) << x;
    }
    // 40 deviations out, where P underflows: -ln P = x^2 / 2 + ln(x sqrt(2 pi)) nearly.
    EXPECT_NEAR(law.log2_tail(40 * law.scale() + law.location()),
                -(800 + std::log(40 * std::sqrt(2 * M_PI))) / std::log(2.0), 3);
    const std::vector<double> same(10, 1.0);
    EXPECT_THAT(message_of([&] { SkewNormal::fit(same); }), HasSubstr("values that differ"));
}

TEST(Exposure, RisesWithRepeatsAndNotWithoutThem) {
    const data::Dataset data = digits();
    const ExposureOptions options{.repeats = {0, 12}, .canaries = 6, .candidates = 999};
    const ExposureResult result = measure_exposure(data, data, training(data, 8), options);
    ASSERT_EQ(result.groups.size(), 2u);
    const ExposureGroup &never = result.groups[0], &often = result.groups[1];
    EXPECT_GT(never.p_value, 1e-3) << "a canary that was never inserted is nothing special";
    EXPECT_LT(never.mean, 4);
    EXPECT_LT(often.p_value, 1e-6);
    EXPECT_GT(often.mean, 6);
    EXPECT_GT(often.extrapolated_mean, never.extrapolated_mean + 3);
    EXPECT_DOUBLE_EQ(result.most, std::log2(1000.0));
    EXPECT_FALSE(result.claim.has_value());
    EXPECT_GT(result.accuracy, 0.9);
    for (const CanaryExposure& canary : often.canaries) {
        EXPECT_EQ(canary.repeats, 12);
        EXPECT_DOUBLE_EQ(canary.exposure, exposure_of(canary.rank, 1000));
    }
}

TEST(Exposure, FallsUnderNoise) {
    const data::Dataset data = digits();
    train::TrainOptions options = training(data, 2);
    options.privacy.emplace();
    options.privacy->target_epsilon = 1;
    const ExposureResult result =
        measure_exposure(data, data, options, {.repeats = {1}, .canaries = 8, .candidates = 999});
    ASSERT_TRUE(result.claim.has_value());
    EXPECT_NEAR(result.claim->epsilon, 1, 0.02);
    EXPECT_GT(result.groups[0].p_value, 1e-3);
}

TEST(Exposure, SaysWhatDoesNotFit) {
    const data::Dataset data = digits();
    const auto run = [&](const data::Dataset& d, const ExposureOptions& options) {
        return [&d, options] { measure_exposure(d, d, training(d, 1), options); };
    };
    EXPECT_THAT(message_of(run(data, {.candidates = 5}), ErrorCode::kUsage),
                HasSubstr("at least 99 candidates, got 5"));
    EXPECT_THAT(message_of(run(data, {.repeats = {-1}}), ErrorCode::kUsage), HasSubstr("got -1"));
    EXPECT_THAT(message_of(run(data, {.canaries = 0}), ErrorCode::kUsage), HasSubstr("canary"));
    data::Dataset bare = data;
    bare.labels.clear();
    EXPECT_THAT(message_of(run(bare, {}), ErrorCode::kInvalid), HasSubstr("labelled examples"));
}

}  // namespace
}  // namespace ward::attack
