#include "ward/audit/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "ward/core/error.h"
#include "ward/core/testing/errors.h"

namespace ward::audit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testonly::message_of;

// Flags of a 2 x 2 table: both right, only the first, only the second, neither.
struct Flags {
    std::vector<uint8_t> first, second;
    Flags(int both, int only_first, int only_second, int neither) {
        const auto add = [&](int count, uint8_t a, uint8_t b) {
            first.insert(first.end(), static_cast<size_t>(count), a);
            second.insert(second.end(), static_cast<size_t>(count), b);
        };
        add(both, 1, 1);
        add(only_first, 1, 0);
        add(only_second, 0, 1);
        add(neither, 0, 0);
    }
};

TEST(WilsonInterval, PublishedValues) {
    // Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3.
    const auto check = [](int64_t successes, int64_t trials, double low, double high) {
        const Interval interval = wilson_interval(successes, trials);
        EXPECT_NEAR(interval.low, low, 5e-5);
        EXPECT_NEAR(interval.high, high, 5e-5);
    };
    check(81, 263, 0.2553, 0.3662);
    check(15, 148, 0.0624, 0.1605);
    check(0, 20, 0.0, 0.1611);
    check(1, 29, 0.0061, 0.1718);
    EXPECT_EQ(wilson_interval(0, 20).low, 0.0);
    EXPECT_EQ(wilson_interval(20, 20).high, 1.0);
    EXPECT_EQ(wilson_interval(0, 0).high, 1.0);
    EXPECT_THAT(message_of([] { wilson_interval(3, 2); }), HasSubstr("got 3"));
    EXPECT_THAT(message_of([] { wilson_interval(-1, 2); }), HasSubstr("got -1"));
}

TEST(IndependentDifference, PublishedValues) {
    // Newcombe, Statistics in Medicine 17 (1998) 873-890, table II, method 10.
    const Difference a = independent_difference(56, 70, 48, 80);
    EXPECT_NEAR(a.value, 0.2, 1e-12);
    EXPECT_NEAR(a.interval.low, 0.0524, 5e-5);
    EXPECT_NEAR(a.interval.high, 0.3339, 5e-5);
    const Difference b = independent_difference(9, 10, 3, 10);
    EXPECT_NEAR(b.interval.low, 0.1705, 5e-5);
    EXPECT_NEAR(b.interval.high, 0.8090, 5e-5);
    EXPECT_FALSE(a.paired);
    EXPECT_THAT(message_of([] { independent_difference(0, 0, 1, 2); }), HasSubstr("examples"));
}

TEST(PairedDifference, PublishedValues) {
    // Newcombe, Statistics in Medicine 17 (1998) 2635-2650, table III, method 10.
    const Flags flags(36, 12, 2, 0);
    const Difference difference = paired_difference(flags.first, flags.second);
    EXPECT_NEAR(difference.value, 0.2, 1e-12);
    EXPECT_NEAR(difference.interval.low, 0.0569, 5e-5);
    EXPECT_NEAR(difference.interval.high, 0.3404, 5e-5);
    EXPECT_TRUE(difference.paired);
}

TEST(PairedDifference, CorrectsAPositiveCorrelation) {
    // Computed apart in Python from the formulas of method 10 with the counts (not proportions).
    const Flags large(900, 30, 50, 20), small(20, 5, 3, 12);
    const Difference one = paired_difference(large.first, large.second);
    EXPECT_NEAR(one.interval.low, -0.03811130607793073, 1e-12);
    EXPECT_NEAR(one.interval.high, -0.002351205279743279, 1e-12);
    const Difference two = paired_difference(small.first, small.second);
    EXPECT_NEAR(two.interval.low, -0.09257489916559122, 1e-12);
    EXPECT_NEAR(two.interval.high, 0.18890419988811752, 1e-12);
}

TEST(PairedDifference, IsAntisymmetricAndNarrowerThanUnpaired) {
    const Flags flags(900, 30, 50, 20);
    const Difference forth = paired_difference(flags.first, flags.second);
    const Difference back = paired_difference(flags.second, flags.first);
    EXPECT_NEAR(forth.value, -back.value, 1e-12);
    EXPECT_NEAR(forth.interval.low, -back.interval.high, 1e-12);
    const Difference loose = independent_difference(930, 1000, 950, 1000);
    EXPECT_LT(forth.interval.high - forth.interval.low, loose.interval.high - loose.interval.low);
    const Flags same(10, 0, 0, 0);  // margins of zero: no correlation is defined
    EXPECT_EQ(paired_difference(same.first, same.second).value, 0.0);
    EXPECT_TRUE(std::isfinite(paired_difference(same.first, same.second).interval.low));
    EXPECT_THAT(message_of([&] { paired_difference(same.first, flags.second); }),
                HasSubstr("same examples for both models, got 10 and 1000"));
    EXPECT_THAT(message_of([] { paired_difference({}, {}); }), HasSubstr("got 0 and 0"));
}

TEST(Evaluate, ByHand) {
    const std::vector<float> probabilities = {0.7f, 0.2f,  0.1f,   // right, class 0
                                              0.1f, 0.6f,  0.3f,   // right, class 1
                                              0.5f, 0.25f, 0.25f,  // wrong: class 2 taken for 0
                                              0.1f, 0.65f, 0.25f,  // wrong: class 2 taken for 1
                                              0.4f, 0.4f,  0.2f};  // a tie goes to the first: right
    const std::vector<int64_t> labels = {0, 1, 2, 2, 0};
    const Evaluation result = evaluate(probabilities, 3, labels);
    EXPECT_EQ(result.correct, 3);
    EXPECT_DOUBLE_EQ(result.accuracy, 0.6);
    EXPECT_THAT(result.confusion,
                ElementsAre(ElementsAre(2, 0, 0), ElementsAre(0, 1, 0), ElementsAre(1, 1, 0)));
    EXPECT_THAT(result.right, ElementsAre(1, 1, 0, 0, 1));
    EXPECT_FALSE(result.auc.has_value());
    // Bins of 1/15: 0.4 (0.4 in float is above 6/15, so bin 7), 0.5 (bin 8), 0.6 (bin 10: 0.6 in
    // float is above 9/15), 0.65 (bin 10), 0.7 (bin 11); gaps 0.6, 0.5, |0.5 - 0.625| twice, 0.3.
    EXPECT_NEAR(*result.calibration_error, (0.6 + 0.5 + 2 * 0.125 + 0.3) / 5, 1e-6);
    const double loss = -(std::log(0.7) + std::log(0.6) + 2 * std::log(0.25) + std::log(0.4)) / 5;
    EXPECT_NEAR(*result.log_loss, loss, 1e-6);
}

TEST(Evaluate, AgreesWithScikitLearnsExamples) {
    // Documentation of sklearn.metrics.roc_auc_score / roc_curve and log_loss (version 1.2).
    const std::vector<float> scores = {0.9f, 0.1f, 0.6f, 0.4f, 0.65f, 0.35f, 0.2f, 0.8f};
    EXPECT_NEAR(*evaluate(scores, 2, std::vector<int64_t>{0, 0, 1, 1}).auc, 0.75, 1e-12);
    const std::vector<float> spam = {0.1f, 0.9f, 0.9f, 0.1f, 0.8f, 0.2f, 0.35f, 0.65f};
    EXPECT_NEAR(*evaluate(spam, 2, std::vector<int64_t>{1, 0, 0, 1}).log_loss, 0.21616, 5e-6);
}

TEST(Evaluate, AucCountsTiesHalfAndNeedsBothClasses) {
    const std::vector<float> flat = {0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f};
    EXPECT_EQ(*evaluate(flat, 2, std::vector<int64_t>{0, 1, 1}).auc, 0.5);
    EXPECT_FALSE(evaluate(flat, 2, std::vector<int64_t>{1, 1, 1}).auc.has_value());
}

TEST(Evaluate, CertaintyLandsInTheLastBinAndZeroLossIsFinite) {
    const std::vector<float> sure = {1.0f, 0.0f, 1.0f, 0.0f};
    const Evaluation result = evaluate(sure, 2, std::vector<int64_t>{0, 1});
    EXPECT_EQ(result.reliability.size(), 15u);
    EXPECT_EQ(result.reliability.back().examples, 2);
    EXPECT_EQ(result.reliability.back().accuracy, 0.5);
    EXPECT_NEAR(*result.log_loss, -std::log(1e-12) / 2, 1e-9);
}

TEST(Evaluate, RefusesWhatDoesNotFit) {
    const std::vector<float> p = {0.5f, 0.5f};
    const std::vector<int64_t> one = {0};
    EXPECT_THAT(message_of([&] { evaluate(p, 1, one); }), HasSubstr("2 to 1000000 classes, got 1"));
    EXPECT_THAT(message_of([&] { evaluate(p, 2, {}); }), HasSubstr("at least one example"));
    EXPECT_THAT(message_of([&] {
                    evaluate(p, 2, std::vector<int64_t>{0, 1});
                }),
                HasSubstr("needs 2 probabilities for each of 2 examples, got 2 in all"));
    EXPECT_THAT(message_of([&] { evaluate(p, 2, std::vector<int64_t>{2}); }),
                HasSubstr("label of example 0 must be between 0 and 1, got 2"));
    EXPECT_THAT(message_of([&] {
                    evaluate(std::vector<float>{0.5f, std::nanf("")}, 2, one);
                }),
                HasSubstr("probabilities of example 0 must be between 0 and 1"));
}

TEST(UnbalancedClasses, FiguresOfAlwaysGuessingTheLargestClass) {
    // scikit-learn: balanced_accuracy_score([0,1,0,0,1,0], [0,1,0,0,0,1]) = 0.625.
    EXPECT_DOUBLE_EQ(balanced_accuracy({{3, 1}, {1, 1}}), 0.625);
    EXPECT_DOUBLE_EQ(majority_share({{3, 1}, {1, 1}}), 4.0 / 6);
    const std::vector<std::vector<int64_t>> lazy = {{90, 0, 0}, {10, 0, 0}, {0, 0, 0}};
    EXPECT_DOUBLE_EQ(majority_share(lazy), 0.9);
    EXPECT_DOUBLE_EQ(balanced_accuracy(lazy), 0.5);  // the class without examples does not count
    EXPECT_THAT(message_of([] { majority_share({{0, 0}, {0, 0}}); }), HasSubstr("needs examples"));
    EXPECT_THAT(message_of([] { balanced_accuracy({{0}}); }), HasSubstr("needs examples"));
    EXPECT_THAT(message_of([] { balanced_accuracy({{1, 2}}); }), HasSubstr("must be square"));
}

TEST(PerClass, LeavesUndefinedFiguresOut) {
    const auto metrics = per_class({{8, 2, 0}, {1, 9, 0}, {0, 0, 0}});
    EXPECT_DOUBLE_EQ(*metrics[0].precision, 8.0 / 9);
    EXPECT_DOUBLE_EQ(*metrics[0].recall, 0.8);
    EXPECT_EQ(metrics[1].examples, 10);
    EXPECT_FALSE(metrics[2].precision.has_value());
    EXPECT_FALSE(metrics[2].recall.has_value());
    EXPECT_THAT(message_of([] { per_class({{1, 2}, {3}}); }), HasSubstr("must be square"));
}

}  // namespace
}  // namespace ward::audit
