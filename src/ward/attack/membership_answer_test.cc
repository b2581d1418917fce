#include "ward/attack/membership_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ward/attack/extraction.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kRows = 400;

at::Tensor random_logits(int64_t classes, double scale = 3, uint64_t seed = 1) {
    return scale * at::randn({kRows, classes}, at::make_generator<at::CPUGeneratorImpl>(seed),
                             at::TensorOptions(at::kDouble));
}

// As a service computes and says them: unsaturated, and in float32 in the end.
at::Tensor shares_of(int64_t classes) { return at::softmax(random_logits(classes), 1); }
at::Tensor said(const at::Tensor& scores) { return scores.to(at::kFloat); }
at::Tensor rounded(const at::Tensor& shares, double step) {
    return said((shares / step).round() * step);
}

// With digits significant ones.
at::Tensor significant(const at::Tensor& shares, int digits) {
    const at::Tensor unit = at::pow(10.0, shares.log10().floor() - (digits - 1));
    return said((shares / unit).round() * unit);
}

TEST(AnswerForm, RoundedProbabilitiesAreProbabilities) {
    for (const double step : {0.1, 0.01, 1.0 / 255, 1.0 / 256, 1e-3, 1e-4, 1e-5}) {
        for (const int64_t classes : {2, 3, 10, 100, 1000}) {
            const AnswerForm form = form_of(rounded(shares_of(classes), step));
            EXPECT_TRUE(form.probabilities) << step << " " << classes;
            EXPECT_DOUBLE_EQ(form.step, step) << classes;
            EXPECT_EQ(form.relative, 0);
            EXPECT_EQ(form.off_sum, 0) << step << " " << classes;
        }
    }
    const at::Tensor three = rounded(shares_of(10), 1e-3);
    EXPECT_GT((three.sum(1) - 1).abs().max().item<double>(), 1.5e-3)
        << "the example is no easier than services are";
    EXPECT_THAT(doubts(form_of(three)), ElementsAre(HasSubstr("rounds its probabilities to steps "
                                                              "of 0.001")));
}

TEST(AnswerForm, CutOffProbabilitiesToo) {
    for (const double step : {0.01, 1e-3}) {
        const AnswerForm form = form_of(said((shares_of(10) / step).floor() * step));
        EXPECT_TRUE(form.probabilities);
        EXPECT_DOUBLE_EQ(form.step, step);
        EXPECT_EQ(form.off_sum, 0);
    }
}

TEST(AnswerForm, SignificantDigitsToo) {
    for (const int digits : {1, 2, 3, 4}) {
        const AnswerForm form = form_of(significant(shares_of(10), digits));
        EXPECT_TRUE(form.probabilities) << digits;
        EXPECT_EQ(form.step, 0);
        EXPECT_DOUBLE_EQ(form.relative, 0.5 * std::pow(10, 1 - digits));
        EXPECT_EQ(form.off_sum, 0) << digits;
    }
    const at::Tensor half = shares_of(10).to(at::kBFloat16).to(at::kFloat);
    EXPECT_GT((half.sum(1) - 1).abs().max().item<double>(), 1e-3);
    EXPECT_TRUE(form_of(half).probabilities);
    EXPECT_THAT(doubts(form_of(half)), ElementsAre(HasSubstr("by up to 0.391 %")));
}

TEST(AnswerForm, ExactProbabilitiesAndLogitsRaiseNoDoubts) {
    const AnswerForm exact = form_of(said(shares_of(10)));
    EXPECT_TRUE(exact.probabilities);
    EXPECT_EQ(exact.step, 0);
    EXPECT_EQ(exact.relative, 0);
    EXPECT_FLOAT_EQ(exact.least, shares_of(10).min().item<float>());
    EXPECT_THAT(doubts(exact), IsEmpty());
    for (const at::Tensor& logits : {random_logits(10), random_logits(10).abs()}) {
        EXPECT_FALSE(form_of(said(logits)).probabilities);
        EXPECT_THAT(doubts(form_of(said(logits))), IsEmpty());
    }
    EXPECT_FALSE(form_of(torch::zeros({0, 3})).probabilities);
}

// Saturated float32 probabilities are next to 0 and 1, and not rounded to them.
TEST(AnswerForm, SaturatedIsNotRounded) {
    const AnswerForm form = form_of(said(at::softmax(random_logits(3, 15), 1)));
    EXPECT_TRUE(form.probabilities);
    EXPECT_EQ(form.step, 0);
    EXPECT_EQ(form.relative, 0);
}

TEST(AnswerForm, ScoresThatMissTheSumAreTold) {
    const at::Tensor sigmoids = said(random_logits(10).sigmoid());
    const AnswerForm form = form_of(sigmoids);
    EXPECT_FALSE(form.probabilities);
    EXPECT_GT(form.off_sum, kRows * 9 / 10);
    EXPECT_THAT(doubts(form),
                ElementsAre(HasSubstr("do not sum to 1: they were taken for logits")));
    EXPECT_FALSE(form_of(rounded(sigmoids, 1e-3)).probabilities) << "for its digits, too";
    const at::Tensor twos = torch::zeros({kRows, 10}).index_fill_(1, torch::tensor({3, 5}), 1);
    EXPECT_FALSE(form_of(twos).probabilities) << "two classes, each for sure";
}

TEST(AnswerForm, AnOddRowDecidesNothing) {
    at::Tensor shares = rounded(shares_of(10), 1e-3);
    shares[7].fill_(0.5);
    const AnswerForm form = form_of(shares);
    EXPECT_TRUE(form.probabilities);
    EXPECT_EQ(form.off_sum, 1);
    EXPECT_THAT(doubts(form), Contains(HasSubstr("1 of 400 rows do not sum to 1: they were taken "
                                                 "for probabilities")));
}

TEST(AnswerForm, TheLargestAreTold) {
    const at::Tensor shares = top_shares(shares_of(10), 3);
    const AnswerForm form = form_of(said(shares), 3);
    EXPECT_TRUE(form.probabilities);
    EXPECT_EQ(form.largest, 3);
    EXPECT_THAT(doubts(form), ElementsAre(HasSubstr("the 3 largest of 10 scores")));
    EXPECT_TRUE(at::allclose(told_as(random_logits(10), form), shares, 0, 1e-12));
    EXPECT_EQ(form_of(said(shares), 10).largest, 0) << "all";
}

// The digits of what is told, not of what is left and spread.
TEST(AnswerForm, TheLargestAreRoundedToo) {
    const at::Tensor logits = random_logits(10, 8);
    const auto [values, places] = at::softmax(logits, 1).topk(3, 1);
    const at::Tensor told = (values * 100).round() / 100;
    const at::Tensor rest = (1 - told.sum(1, true)).clamp_min(0) / 7;
    const at::Tensor other = at::minimum(rest, told.narrow(1, 2, 1));
    const at::Tensor shares = other.repeat({1, 10}).scatter(1, places, told);
    EXPECT_GT(shares.sum(1).max().item<double>(), 1.004);
    const AnswerForm form = form_of(said(shares), 3);
    EXPECT_TRUE(form.probabilities);
    EXPECT_EQ(form.step, 0.01);
    EXPECT_EQ(form.off_sum, 0);
    EXPECT_TRUE(at::allclose(told_as(logits, form), shares, 0, 1e-12));
}

// What comes back is as near to the exact confidence as the digits allow.
TEST(AnswerForm, ConfidenceIsWithinTheDigits) {
    const at::Tensor logits = random_logits(10);
    const std::vector<int64_t> labels(kRows, 4);
    const Confidence exact = confidence_of(logits, labels);
    for (const double step : {0.01, 1e-3}) {
        const at::Tensor answers = rounded(at::softmax(logits, 1), step);
        const AnswerForm form = form_of(answers);
        const Confidence found = confidence_of(answers, labels, form);
        const Confidence reference = confidence_of(told_as(logits, form), labels, form);
        for (size_t i = 0; i < kRows; ++i) {
            EXPECT_NEAR(std::exp(found.log_p[i]), std::exp(exact.log_p[i]), 0.501 * step) << i;
            EXPECT_NEAR(found.log_odds[i], std::log(std::expm1(-found.log_p[i])) * -1, 1e-6);
            EXPECT_NEAR(found.log_odds[i], reference.log_odds[i], 1e-4) << i;
        }
    }
    const at::Tensor sure = torch::tensor({{1.0f, 0.0f}, {0.123f, 0.877f}, {0.4f, 0.6f}});
    const Confidence ends = confidence_of(sure, std::vector<int64_t>{0, 0, 1}, form_of(sure));
    EXPECT_NEAR(ends.log_odds[0], std::log(3999), 1e-9);
    EXPECT_NEAR(ends.log_p[1], std::log(0.123), 1e-6);
    const Confidence other = confidence_of(sure, std::vector<int64_t>{1, 0, 1}, form_of(sure));
    EXPECT_NEAR(other.log_odds[0], -std::log(3999), 1e-9);
}

}  // namespace
}  // namespace ward::attack
