#include "ward/attack/shadow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "ward/attack/roc.h"
#include "ward/core/parallel.h"
#include "ward/core/progress.h"
#include "ward/core/testing/errors.h"
#include "ward/data/load.h"
#include "ward/nn/threads.h"
#include "ward/train/recipes.h"

namespace ward::attack {
namespace {

using ::testing::HasSubstr;
using ward::testonly::message_of;

data::Dataset some_digits(int64_t rows) {
    set_progress_mode(ProgressMode::kOff);
    data::LoadRequest request;
    request.data = "digits";
    request.split = "all";
    const data::Dataset all = data::load_dataset(request).dataset;
    std::vector<int64_t> first(rows);
    std::iota(first.begin(), first.end(), 0);
    return data::select_rows(all, first);
}

ShadowOptions quick(const data::Dataset& data, int64_t models) {
    ShadowOptions options;
    options.train.spec = train::spec_for(data, "logistic", train::recipe_named("small-image"));
    options.train.batch_size = 20;
    options.train.epochs = 10;
    options.train.schedule.learning_rate = 0.3;
    options.models = models;
    return options;
}

std::string scratch_folder(const std::string& name) {
    const std::string path = ::testing::TempDir() + "ward_shadow_" + name;
    std::filesystem::remove_all(path);
    return path;
}

std::vector<std::string> digests(const std::vector<Shadow>& shadows) {
    std::vector<std::string> result;
    for (const Shadow& shadow : shadows) result.push_back(model::digest(shadow.model));
    return result;
}

TEST(Shadows, EveryExampleIsInHalfOfTheModels) {
    const auto halves = shadow_halves(101, 6, 9);
    ASSERT_EQ(halves.size(), 6u);
    for (size_t i = 0; i < 101; ++i) {
        for (size_t m = 0; m < 6; m += 2) EXPECT_NE(halves[m][i], halves[m + 1][i]);
    }
    EXPECT_EQ(std::accumulate(halves[0].begin(), halves[0].end(), 0), 50);
    EXPECT_NE(halves[0], halves[2]);
    EXPECT_NE(halves, shadow_halves(101, 6, 10));
}

TEST(Shadows, JobsDoNotChangeModels) {
    const data::Dataset pool = some_digits(200);
    ShadowOptions options = quick(pool, 4);
    options.jobs = 1;
    nn::set_threads(2);
    const auto one = digests(train_shadows(pool, options));
    options.jobs = 2;
    EXPECT_EQ(digests(train_shadows(pool, options)), one);
    EXPECT_EQ(num_threads(), 2) << "as it was";
    EXPECT_NE(one[0], one[1]);
    EXPECT_NE(one[0], one[2]);
}

TEST(Shadows, WhatIsInTheCacheIsNotTrainedAgain) {
    const data::Dataset pool = some_digits(200);
    ShadowOptions options = quick(pool, 4);
    options.cache = scratch_folder("cache");
    const auto first = train_shadows(pool, options);
    EXPECT_FALSE(first[0].from_cache);
    // As after a kill: one of the models is not there yet.
    std::filesystem::remove(std::filesystem::directory_iterator(options.cache)->path());
    const auto second = train_shadows(pool, options);
    EXPECT_EQ(digests(second), digests(first));
    EXPECT_EQ(std::count_if(second.begin(), second.end(),
                            [](const Shadow& shadow) { return shadow.from_cache; }),
              3);
    options.train.epochs = 11;
    EXPECT_FALSE(train_shadows(pool, options)[0].from_cache) << "other options, other models";
    data::Dataset changed = pool;
    changed.labels[0] = (changed.labels[0] + 1) % 10;
    options.train.epochs = 10;
    EXPECT_FALSE(train_shadows(changed, options)[0].from_cache) << "other data, other models";
}

// 100 examples on 64 inputs and 300 epochs: the target knows its examples by heart.
TEST(Shadows, MembersOfAnOverfittedModelAreFound) {
    const data::Dataset pool = some_digits(240);
    ShadowOptions options = quick(pool, 8);
    options.train.epochs = 60;
    const auto shadows = train_shadows(pool, options);
    std::vector<int64_t> rows(200);
    std::iota(rows.begin(), rows.end(), 0);
    const data::Dataset examples = data::select_rows(pool, rows);
    // The last pair: one is the target, the others the references.
    const std::vector<Shadow> references(shadows.begin(), shadows.end() - 2);
    const MembershipSignals signals =
        membership_signals(shadows.back().model, references, examples, data::Dataset{});
    const std::vector<uint8_t> member(shadows.back().held.begin(),
                                      shadows.back().held.begin() + 200);
    const Roc roc = roc_of(membership_scores("lira-online-fixed", signals), member);
    EXPECT_GT(roc.auc_interval.low, 0.53);
}

TEST(Shadows, RefusesWhatCannotBeTrained) {
    const data::Dataset pool = some_digits(20);
    EXPECT_THAT(message_of([&] { train_shadows(pool, quick(pool, 3)); }, ErrorCode::kUsage),
                HasSubstr("come in pairs, got 3"));
    ShadowOptions options = quick(pool, 2);
    options.train.privacy.emplace();
    options.train.privacy->target_epsilon = 1;
    EXPECT_THAT(message_of([&] { train_shadows(pool, options); }, ErrorCode::kUsage),
                HasSubstr("noise of the target"));
    options = quick(pool, 2);
    options.jobs = 2;
    options.train.batch_size = 5;
    options.train.schedule.learning_rate = -1;
    EXPECT_THAT(message_of([&] { train_shadows(pool, options); }, ErrorCode::kUsage),
                HasSubstr("learning rate"))
        << "errors of the threads arrive here";
}

}  // namespace
}  // namespace ward::attack
