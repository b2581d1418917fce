// Membership by regression: how sure would the model be of an example that it does not know?
//
// Bertran, Tang, Kearns, Morgenstern, Roth, Wu: Scalable Membership Inference Attacks via Quantile
// Regression (NeurIPS 2023), with quantiles in the form of a Gaussian whose mean and deviation are
// functions of the example (their likelihood form): a network learns both from a population that
// nobody trained on, and an example is judged by where its log odds lie in its own distribution.
// One regression takes the place of all reference models.
//
// Five networks of one hidden layer, each early-stopped on the fifth that it does not see, are
// averaged. Each starts as the constant, so where the examples tell nothing of their difficulty
// the attack orders as the loss does.
//
// Thread safety: pure functions.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "ward/data/dataset.h"

namespace ward::attack {

inline constexpr int64_t kLeastRegressionPopulation = 10;

// What the regression knows of examples: their inputs and their labels one-hot, {n, features}
// float32.
at::Tensor regression_features(const data::Dataset& data, int64_t classes);

struct LabelledOdds {
    at::Tensor features;           // {n, features}
    std::span<const double> odds;  // n, ln p / (1 - p) of the right class
};

// One score per example, higher means member: (odds - mean(x)) / deviation(x). Throws Error
// kInvalid for fewer than 10 in the population, or features that do not fit.
std::vector<double> quantile_scores(const LabelledOdds& examples, const LabelledOdds& population,
                                    uint64_t seed);

}  // namespace ward::attack
