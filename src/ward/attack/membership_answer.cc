#include "ward/attack/membership_answer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>
#include <tuple>

#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr double kSumSlack = 1e-3;      // of probabilities that were not rounded
constexpr double kLeastFitting = 0.9;   // share of rows that must sum to 1
constexpr double kFloatError = 2.4e-7;  // relative, of a decimal number in float32 arithmetic
// The least that a float32 can say, in case a target never gives anything between 0 and 1.
constexpr double kTiniest = 1e-38;

constexpr std::array<double, 9> kSteps = {1,    1e-1, 1e-2, 1.0 / 255, 1.0 / 256,
                                          1e-3, 1e-4, 1e-5, 1e-6};
// Nobody rounds a sum of 1 away: ones and zeros are taken at their word as to it.
constexpr double kCoarsest = 0.1;
constexpr int kMostDigits = 4;
constexpr double kBfloat16Error = 1.0 / 256;

bool same(const at::Tensor& values, const at::Tensor& rounded) {
    return ((values - rounded).abs() <= kFloatError * values).all().item<bool>();
}

// The relative error of rounding to as few significant digits as all values have; 0: many.
double relative_error_of(const at::Tensor& values) {
    const at::Tensor positive = values.masked_select(values > 0);
    const at::Tensor decade = positive.log10().floor();
    for (int digits = 1; digits <= kMostDigits; ++digits) {
        const at::Tensor unit = at::pow(10.0, decade - (digits - 1));
        if (same(positive, (positive / unit).round() * unit)) return 0.5 * std::pow(10, 1 - digits);
    }
    const at::Tensor bits = at::pow(2.0, positive.log2().floor() - 7);
    return same(positive, (positive / bits).round() * bits) ? kBfloat16Error : 0;
}

// Rows that no probabilities can have been rounded to, or cut off to.
int64_t rows_off_sum(const at::Tensor& shares, const AnswerForm& form) {
    const at::Tensor error = form.step > 0
                                 ? torch::full_like(shares, std::min(form.step, kCoarsest) / 2)
                                 : shares * form.relative;
    const at::Tensor least = (shares - error).clamp_min(0).sum(1);
    const at::Tensor most = (shares + 2 * error).sum(1);
    return at::logical_or(least > 1 + kSumSlack, most < 1 - kSumSlack).sum().item<int64_t>();
}

double least_positive(const at::Tensor& probabilities) {
    const at::Tensor positive = probabilities.masked_select(probabilities > 0);
    return positive.numel() == 0 ? kTiniest : std::max(kTiniest, positive.min().item<double>());
}

Confidence confidence_of_rounded(const at::Tensor& shares, std::span<const int64_t> labels,
                                 double step) {
    const at::Tensor rows = shares.contiguous();
    const double* row = rows.data_ptr<double>();
    Confidence result;
    for (const int64_t label : labels) {
        const double p = std::clamp(row[label], step / 4, 1 - step / 4);
        result.log_p.push_back(std::log(p));
        result.log_odds.push_back(std::log(p) - std::log1p(-p));
        row += rows.size(1);
    }
    return result;
}

std::string in_words(double value) {
    std::ostringstream text;
    text.precision(3);
    text << value;
    return text.str();
}

}  // namespace

double rounding_step(const at::Tensor& values) {
    for (const double step : kSteps)
        if (same(values, (values / step).round() * step)) return step;
    return 0;
}

AnswerForm form_of(const at::Tensor& scores, int64_t largest) {
    AnswerForm form;
    form.rows = scores.size(0);
    form.classes = scores.size(1);
    form.largest = largest < form.classes ? largest : 0;
    const at::Tensor shares = scores.detach().to(at::kCPU, at::kDouble);
    const bool fits = form.rows > 0 && (shares >= 0).all().item<bool>() &&
                      (shares <= 1 + kFloatError).all().item<bool>();
    if (!fits) return form;
    const at::Tensor told = form.largest > 0 ? std::get<0>(shares.topk(form.largest, 1)) : shares;
    form.step = rounding_step(told);
    if (form.step == 0) form.relative = relative_error_of(told);
    form.off_sum = rows_off_sum(shares, form);
    form.probabilities = static_cast<double>(form.rows - form.off_sum) >=
                         kLeastFitting * static_cast<double>(form.rows);
    form.least = least_positive(shares);
    if (!form.probabilities) form.step = form.relative = form.least = 0;
    return form;
}

std::vector<std::string> doubts(const AnswerForm& form) {
    std::vector<std::string> result;
    if (form.off_sum > 0) {
        const std::string rows = std::to_string(form.off_sum) + " of " + std::to_string(form.rows);
        result.push_back(
            "the scores lie in [0, 1], but " + rows +
            " rows do not sum to 1: they were taken for " +
            (form.probabilities
                 ? "probabilities"
                 : "logits; if they are probabilities, the attacks are weaker than they could be"));
    }
    if (form.step > 0 || form.relative > 0) {
        const std::string how =
            form.step > 0 ? "to steps of " + in_words(form.step) + ", and so were references"
                          : "by up to " + in_words(100 * form.relative) + " % of their size";
        result.push_back("the target rounds its probabilities " + how +
                         ": the model itself tells more");
    }
    if (form.largest > 0) {
        result.push_back("the target tells the " + std::to_string(form.largest) + " largest of " +
                         std::to_string(form.classes) +
                         " scores: the rest was guessed; the model itself tells more");
    }
    return result;
}

Confidence confidence_of(const at::Tensor& scores, std::span<const int64_t> labels,
                         const AnswerForm& form) {
    if (!form.probabilities) return confidence_of(scores, labels);
    const at::Tensor shares = scores.detach().to(at::kCPU, at::kDouble);
    const Confidence result = confidence_of(shares.clamp_min(form.least).log(), labels);  // checks
    return form.step > 0 ? confidence_of_rounded(shares, labels, form.step) : result;
}

at::Tensor told_as(const at::Tensor& logits, const AnswerForm& form) {
    if (!form.probabilities) return logits;
    at::Tensor shares = at::softmax(logits.detach().to(at::kCPU, at::kDouble), 1);
    const auto rounded = [&](const at::Tensor& values) {
        return form.step > 0 ? (values / form.step).round() * form.step : values;
    };
    if (form.largest == 0) return rounded(shares);
    const auto [values, places] = shares.topk(form.largest, 1);
    const at::Tensor told = rounded(values);
    const at::Tensor rest =
        (1 - told.sum(1, true)) / static_cast<double>(form.classes - form.largest);
    const at::Tensor other = at::minimum(rest.clamp_min(0), at::amin(told, {1}, true));
    return other.repeat({1, form.classes}).scatter(1, places, told);
}

}  // namespace ward::attack
