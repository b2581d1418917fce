#include "ward/attack/extraction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "ward/attack/testing/linear_target.h"
#include "ward/core/progress.h"
#include "ward/core/testing/errors.h"
#include "ward/model/zoo.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

const bool kQuiet = [] {
    set_progress_mode(ProgressMode::kOff);
    return true;
}();

using ::testing::HasSubstr;
using testonly::LinearModel;
using testonly::middle_points;
using ward::testonly::message_of;

constexpr int64_t kFeatures = 12, kClasses = 4;

struct Setting {
    Setting() {
        options.surrogate =
            model::make_model("logistic", {.input_shape = {kFeatures}, .outputs = kClasses});
        options.queries = 400;
        options.step_size = 0.03;
        options.training.epochs = 30;
        options.training.learning_rate = 0.05;
        // The points lie in a small part of the box; the copy sees them as numbers near 0 and 1.
        options.prepare = [](const at::Tensor& x) { return (x - 0.5) * 10; };
        pool.group = model.logits(pool.x).argmax(1);
    }

    LinearModel model = LinearModel::make(kClasses, kFeatures, 3);
    QueryPool pool{middle_points(600, kFeatures, 4), at::Tensor()};
    at::Tensor test_x = middle_points(500, kFeatures, 5), test_y = model.logits(test_x).argmax(1);
    ExtractionOptions options;
};

TEST(Extraction, EveryAttackCopiesALinearModel) {
    for (const std::string& name : extraction_names()) {
        Setting s;
        s.options.attack = name;
        Target target = s.model.target(Access::kScores);
        const ExtractionResult result = extract(target, s.pool, s.test_x, s.test_y, s.options);
        EXPECT_EQ(result.queries, 400) << name;
        EXPECT_EQ(target.counts().forward, 400 + 500) << name << " asks what it says and no more";
        EXPECT_TRUE(result.partial.empty());
        EXPECT_EQ(result.model_accuracy, 1);
        EXPECT_GE(result.curve.back().fidelity, name == "jacobian" ? 0.7 : 0.9) << name;
        EXPECT_GT(result.curve.back().fidelity, result.majority_share + 0.2) << name;
        EXPECT_EQ(result.curve.back().queries, 400);
        EXPECT_LE(result.curve.front().fidelity, result.curve.back().fidelity + 0.05) << name;
    }
}

TEST(Extraction, LabelsSufficeWhereScoresAreDenied) {
    Setting s;
    Target target = s.model.target(Access::kLabels);
    EXPECT_THAT(message_of([&] { extract(target, s.pool, s.test_x, s.test_y, s.options); },
                           ErrorCode::kRefused),
                HasSubstr("labels only"));
    s.options.answer = Answer::kLabels;
    const auto result = extract(target, s.pool, s.test_x, s.test_y, s.options);
    EXPECT_GE(result.curve.back().fidelity, 0.9);
}

TEST(Extraction, AsksNothingTwice) {
    for (const std::string& name : extraction_names()) {
        Setting s;
        s.options.attack = name;
        s.options.curve = {100};
        std::set<std::string> seen;
        Target target(
            [&](const at::Tensor& x) {
                const at::Tensor rows = x.contiguous();
                for (int64_t i = 0; i < rows.size(0); ++i) {
                    seen.emplace(reinterpret_cast<const char*>(rows[i].data_ptr<float>()),
                                 kFeatures * sizeof(float));
                }
                return s.model.logits(x);
            },
            Access::kScores);
        extract(target, s.pool, s.test_x, s.test_y, s.options);
        EXPECT_EQ(static_cast<int64_t>(seen.size()), target.counts().forward) << name;
    }
}

TEST(Extraction, KeepsWhatItHasWhenTheTargetFails) {
    Setting s;
    int64_t asked = 0;
    Target target(
        [&](const at::Tensor& x) {
            asked += x.size(0);
            if (asked > 500 + 250) throw Error(ErrorCode::kIo, "the line is dead");
            return s.model.logits(x);
        },
        Access::kScores);
    const auto result = extract(target, s.pool, s.test_x, s.test_y, s.options);
    EXPECT_THAT(result.partial, HasSubstr("the line is dead"));
    EXPECT_GT(result.queries, 0);
    EXPECT_LT(result.queries, 400);
    EXPECT_EQ(result.curve.back().queries, result.queries);
    EXPECT_GT(result.curve.back().fidelity, result.majority_share);
}

TEST(Extraction, TopSharesKeepTheSum) {
    const at::Tensor shares = torch::tensor({0.5f, 0.1f, 0.3f, 0.1f}).view({1, 4});
    const at::Tensor top = top_shares(shares, 2);
    EXPECT_NEAR(top.sum().item<double>(), 1, 1e-6);
    EXPECT_FLOAT_EQ(top[0][0].item<float>(), 0.5f);
    EXPECT_FLOAT_EQ(top[0][1].item<float>(), 0.1f);
    EXPECT_TRUE(at::equal(as_shares(shares), shares));
    EXPECT_NEAR(as_shares(shares * 5).sum().item<double>(), 1, 1e-6);
}

TEST(Extraction, RefusesOptionsOutOfRange) {
    Setting s;
    Target target = s.model.target(Access::kScores);
    const auto with = [&](auto change) {
        ExtractionOptions options = s.options;
        change(options);
        return message_of([&] { extract(target, s.pool, s.test_x, s.test_y, options); },
                          ErrorCode::kUsage);
    };
    EXPECT_THAT(with([](auto& o) { o.queries = 0; }), HasSubstr("queries must be > 0, got 0"));
    EXPECT_THAT(with([](auto& o) { o.queries = 601; }), HasSubstr("600 inputs for 601"));
    EXPECT_THAT(with([](auto& o) { o.attack = "magic"; }), HasSubstr("no extraction attack"));
    EXPECT_THAT(with([](auto& o) { o.curve = {500}; }), HasSubstr("between 1 and 400"));
    EXPECT_THAT(with([](auto& o) { o.price = -1; }), HasSubstr("price"));
}

}  // namespace
}  // namespace ward::attack
