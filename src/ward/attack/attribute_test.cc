#include "ward/attack/attribute.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "ward/core/progress.h"
#include "ward/core/testing/errors.h"
#include "ward/train/recipes.h"
#include "ward/train/trainer.h"

namespace ward::attack {
namespace {

using ::testing::HasSubstr;
using ward::testonly::message_of;

// Rows of a column of three categories, a bit and twelve numbers. The class is coupled to the
// category with probability `coupling`, else a coin.
data::Dataset rows_of(int64_t n, double coupling, uint64_t seed) {
    std::mt19937_64 generator(seed);
    std::normal_distribution<float> normal;
    std::uniform_real_distribution<double> uniform;
    data::Dataset data;
    data.name = "rows";
    data.digest = std::string(64, 'a');
    data.example_shape = {16};
    data.class_names = {"0", "1"};
    data.feature_names = {"kind=a", "kind=b", "kind=c", "bit"};
    for (int64_t j = 4; j < 16; ++j) data.feature_names.push_back("x_" + std::to_string(j));
    for (int64_t i = 0; i < n; ++i) {
        const double u = uniform(generator);
        const int64_t kind = u < 0.45 ? 0 : u < 0.85 ? 1 : 2;
        for (int64_t k = 0; k < 3; ++k) data.inputs.push_back(k == kind ? 1.0f : 0.0f);
        data.inputs.push_back(generator() % 2 ? 1.0f : -1.0f);
        for (int64_t j = 4; j < 16; ++j) data.inputs.push_back(normal(generator));
        const bool coupled = uniform(generator) < coupling;
        data.labels.push_back(coupled ? (kind == 1 ? 1 : 0) : int64_t(generator() % 2));
    }
    return data;
}

model::Model trained(const data::Dataset& data, const std::string& network, double epochs) {
    set_progress_mode(ProgressMode::kOff);
    train::TrainOptions options;
    options.spec = train::spec_for(data, network, train::recipe_named("small-table"));
    options.batch_size = 20;
    options.epochs = epochs;
    options.optimizer.momentum = 0.9;
    options.schedule.learning_rate = 0.1;
    return train::train(data, options).model;
}

TEST(Attribute, AModelOfTheColumnTellsItOfAllAlike) {
    const data::Dataset members = rows_of(600, 1, 1), others = rows_of(1200, 1, 2);
    const model::Model model = trained(members, "logistic", 10);
    const AttributeResult result = infer_attribute(model, members, others, {.column = "kind"});
    EXPECT_EQ(result.values, 3);
    EXPECT_EQ(result.queries, 3 * (600 + 600 + 600));
    // Class 1 is kind b (0.40), class 0 mostly kind a (0.45): right for these.
    EXPECT_NEAR(result.members.attack.accuracy, 0.85, 0.05);
    EXPECT_NEAR(result.others.attack.accuracy, 0.85, 0.05);
    EXPECT_NEAR(result.members.baseline.accuracy, 0.45, 0.05);
    EXPECT_NEAR(result.members.baseline.balanced, 1.0 / 3, 1e-9);
    EXPECT_LT(result.advantage_interval.low, 0);
    EXPECT_GT(result.advantage_interval.high, 0);
    EXPECT_TRUE(result.flags.empty()) << result.flags.front();
}

// Labels are coins: the column says nothing about them but where the model knows rows by heart.
TEST(Attribute, AModelThatKnowsRowsByHeartLeaksThoseOfMembers) {
    const data::Dataset members = rows_of(400, 0, 3), others = rows_of(2000, 0, 4);
    const model::Model model = trained(members, "mlp", 80);
    const AttributeResult result = infer_attribute(model, members, others, {.column = "bit"});
    EXPECT_EQ(result.values, 2);
    EXPECT_GT(result.members.uniform.accuracy, 0.6);
    EXPECT_GE(result.members.attack.accuracy, result.members.baseline.accuracy - 0.05);
    EXPECT_NEAR(result.others.uniform.accuracy, 0.5, 0.09);
    EXPECT_GT(result.advantage_interval.low, 0);
}

TEST(Attribute, CountsValuesThatTheAttackerDoesNotKnow) {
    data::Dataset members = rows_of(100, 1, 1);
    const data::Dataset others = rows_of(100, 1, 2);
    const model::Model model = trained(members, "logistic", 1);
    for (int64_t i = 0; i < 7; ++i) members.inputs[16 * i + 3] = 0.5f;
    const AttributeResult result = infer_attribute(model, members, others, {.column = "bit"});
    EXPECT_EQ(result.unknown, 7);
    EXPECT_THAT(result.flags, ::testing::Contains(HasSubstr("7 rows have a value")));
    EXPECT_LE(result.members.attack.accuracy, 0.93);
}

TEST(Attribute, RefusesWhatCannotBe) {
    const data::Dataset members = rows_of(50, 1, 1), others = rows_of(150, 1, 2);
    const model::Model model = trained(members, "logistic", 1);
    EXPECT_THAT(message_of([&] { infer_attribute(model, members, others, {.column = "age"}); },
                           ErrorCode::kUsage),
                HasSubstr("no input column age"));
    EXPECT_THAT(message_of([&] { infer_attribute(model, members, others, {.column = "x_5"}); }),
                HasSubstr("column x_5 takes 75 values in the auxiliary sample, expected 2 to 64"));
    EXPECT_THAT(message_of(
                    [&] {
                        infer_attribute(model, members, others,
                                        {.column = "bit", .auxiliary_share = 1});
                    },
                    ErrorCode::kUsage),
                HasSubstr("auxiliary share must be in (0, 1)"));
    EXPECT_THAT(
        message_of([&] { infer_attribute(model, members, rows_of(19, 1, 5), {.column = "bit"}); }),
        HasSubstr("at least 20 others"));
}

}  // namespace
}  // namespace ward::attack
