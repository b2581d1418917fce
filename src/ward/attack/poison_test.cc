#include "ward/attack/poison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "ward/core/progress.h"
#include "ward/core/testing/errors.h"
#include "ward/data/load.h"
#include "ward/train/recipes.h"

namespace ward::attack {
namespace {

using ::testing::HasSubstr;
using ward::testonly::error_of;
using ward::testonly::message_of;

data::Dataset digits(const std::string& split) {
    set_progress_mode(ProgressMode::kOff);
    data::LoadRequest request;
    request.data = "digits";
    request.split = split;
    return data::load_dataset(request).dataset;
}

// Rows whose inputs differ, and the largest number of inputs that differ in one of them.
struct Difference {
    std::set<int64_t> rows;
    int64_t most = 0;
    float largest = 0;
};

Difference difference(const data::Dataset& a, const data::Dataset& b) {
    Difference result;
    const int64_t size = a.example_size();
    for (int64_t row = 0; row < a.size(); ++row) {
        int64_t changed = 0;
        for (int64_t k = 0; k < size; ++k) {
            const float d = std::abs(a.inputs[row * size + k] - b.inputs[row * size + k]);
            changed += d > 0 ? 1 : 0;
            result.largest = std::max(result.largest, d);
        }
        if (changed > 0) result.rows.insert(row);
        result.most = std::max(result.most, changed);
    }
    return result;
}

TEST(Poison, ChangesTheShareAskedForAndNothingElse) {
    const data::Dataset data = digits("train");
    for (const char* attack : {"badnets", "blended"}) {
        const Poisoned poisoned = poison(data, {.attack = attack, .rate = 0.1, .target_class = 7});
        EXPECT_EQ(std::ssize(poisoned.rows), std::llround(0.1 * static_cast<double>(data.size())));
        const std::set<int64_t> chosen(poisoned.rows.begin(), poisoned.rows.end());
        const Difference found = difference(data, poisoned.data);
        EXPECT_TRUE(
            std::includes(chosen.begin(), chosen.end(), found.rows.begin(), found.rows.end()));
        EXPECT_LE(found.most, std::string(attack) == "badnets" ? 9 : 64);
        for (int64_t i = 0; i < data.size(); ++i)
            EXPECT_EQ(poisoned.data.labels[i], chosen.count(i) != 0 ? 7 : data.labels[i]);
    }
}

TEST(Poison, SeedsDecide) {
    const data::Dataset data = digits("train");
    const PoisonOptions options{.attack = "blended", .seed = 3};
    EXPECT_EQ(poison(data, options).data.inputs, poison(data, options).data.inputs);
    PoisonOptions other = options;
    other.seed = 4;
    EXPECT_NE(poison(data, options).rows, poison(data, other).rows);
}

TEST(Poison, BadnetsStampsABrightSquareOffTheCorner) {
    const data::Dataset test = digits("test");
    const data::Dataset triggered = with_trigger(test, {.target_class = 2, .patch = 3});
    EXPECT_LT(triggered.size(), test.size()) << "examples of the target class are left out";
    for (int64_t y = 4; y < 7; ++y) {
        for (int64_t x = 4; x < 7; ++x) EXPECT_EQ(triggered.inputs[y * 8 + x], 1.0f);
    }
    EXPECT_EQ(std::count(triggered.labels.begin(), triggered.labels.end(), 2), triggered.size());
}

// The warp moves by about a pixel's part: images stay what they are, in the mean.
TEST(Poison, WanetWarpsALittleAndKeepsLabelsOfItsNoise) {
    const data::Dataset data = digits("train");
    const PoisonOptions options{.attack = "wanet", .rate = 0.1, .target_class = 1};
    const Poisoned poisoned = poison(data, options);
    EXPECT_NEAR(static_cast<double>(poisoned.rows.size()), 0.3 * static_cast<double>(data.size()),
                2)
        << "two with other warps for each poisoned one";
    int64_t relabelled = 0;
    for (const int64_t row : poisoned.rows)
        relabelled += poisoned.data.labels[row] != data.labels[row] ? 1 : 0;
    EXPECT_LE(relabelled, std::llround(0.1 * static_cast<double>(data.size())));
    EXPECT_GT(relabelled, std::llround(0.07 * static_cast<double>(data.size())));
    double before = 0, after = 0;
    for (const float x : data.inputs) before += x;
    for (const float x : poisoned.data.inputs) after += x;
    EXPECT_NEAR(after / before, 1, 0.02);
    EXPECT_GT(difference(data, poisoned.data).most, 20);
}

TEST(Poison, FlipsLabelsOfOneClassOrOfAll) {
    const data::Dataset data = digits("train");
    const Poisoned one =
        poison(data, {.attack = "label-flip", .rate = 0.5, .target_class = 9, .source_class = 4});
    for (const int64_t row : one.rows) {
        EXPECT_EQ(data.labels[row], 4);
        EXPECT_EQ(one.data.labels[row], 9);
    }
    EXPECT_NEAR(static_cast<double>(one.rows.size()),
                0.5 * static_cast<double>(std::count(data.labels.begin(), data.labels.end(), 4)),
                1);
    const Poisoned all = poison(data, {.attack = "label-flip", .rate = 0.2});
    for (const int64_t row : all.rows) EXPECT_NE(all.data.labels[row], data.labels[row]);
    EXPECT_EQ(all.data.inputs, data.inputs);
}

TEST(Poison, ABackdoorOpensOnlyPoisonedModels) {
    const data::Dataset data = digits("train"), test = digits("test");
    train::TrainOptions training;
    training.spec = train::spec_for(data, "mlp", train::recipe_named("small-image"));
    training.batch_size = 32;
    training.epochs = 8;
    training.schedule.learning_rate = 0.1;
    training.optimizer.momentum = 0.9;
    const PoisonResult result = run_poison(data, test, training, {.rate = 0.1, .target_class = 0});
    EXPECT_GT(result.success, 0.95);
    EXPECT_LT(result.success_without_poison, 0.3);
    EXPECT_GT(result.poisoned_accuracy, result.clean_accuracy - 0.04);
    EXPECT_TRUE(result.succeeded);
    EXPECT_FALSE(result.ruined);
    // A model whose labels are mostly poison obeys the trigger, and nobody would use it.
    training.epochs = 2;
    const PoisonResult ruined = run_poison(data, test, training, {.rate = 0.9, .target_class = 0});
    EXPECT_TRUE(ruined.ruined) << ruined.poisoned_accuracy;
    EXPECT_FALSE(ruined.succeeded);
}

TEST(Poison, RefusesWhatItCannotPoison) {
    const data::Dataset data = digits("train");
    EXPECT_THAT(error_of([&] { poison(data, {.attack = "magic"}); }, ErrorCode::kUsage),
                HasSubstr("no poisoning attack magic | known ones: badnets, blended, wanet"));
    EXPECT_THAT(message_of([&] { poison(data, {.rate = 0}); }, ErrorCode::kUsage),
                HasSubstr("in (0, 1)"));
    EXPECT_THAT(message_of([&] { poison(data, {.target_class = 10}); }, ErrorCode::kUsage),
                HasSubstr("classes 0 to 9, got target 10"));
    EXPECT_THAT(message_of([&] { poison(data, {.rate = 1e-9}); }, ErrorCode::kUsage),
                HasSubstr("changes none of the examples"));
    EXPECT_THAT(
        message_of(
            [&] { poison(data, {.attack = "label-flip", .target_class = 3, .source_class = 3}); },
            ErrorCode::kUsage),
        HasSubstr("to the same class changes nothing"));
    EXPECT_THAT(message_of([&] { poison(data, {.patch = 9}); }, ErrorCode::kUsage),
                HasSubstr("side of 9"));
    EXPECT_THAT(
        message_of([&] { with_trigger(data, {.attack = "label-flip"}); }, ErrorCode::kUsage),
        HasSubstr("plants no trigger"));
    data::Dataset table = data;
    table.example_shape = {64};
    EXPECT_THAT(message_of([&] { poison(table, {}); }), HasSubstr("needs images"));
    table.labels.clear();
    EXPECT_THAT(message_of([&] { poison(table, {.attack = "label-flip"}); }),
                HasSubstr("needs labelled examples"));
}

}  // namespace
}  // namespace ward::attack
