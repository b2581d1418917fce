// How the poisons of clean-label attacks are made. See clean_label.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "ward/attack/clean_label.h"
#include "ward/nn/network.h"

namespace ward::attack {

// Least and largest value of inputs, per channel of images {C, 1, 1}, else of all inputs {1}.
struct InputBox {
    at::Tensor lower, upper;

    at::Tensor width() const { return upper - lower; }
};
InputBox box_of(const data::Dataset& data);

// Rows {n, example shape} of the data, and back.
at::Tensor take_rows(const data::Dataset& data, const std::vector<int64_t>& rows);
void put_rows(data::Dataset& data, const std::vector<int64_t>& rows, const at::Tensor& x);

// Rows of a class, increasing.
std::vector<int64_t> rows_of_class(const data::Dataset& data, int64_t label);

struct Crafted {
    at::Tensor x;  // the poisons
    double loss = 0;
};

// The network without its last layer. Throws Error kUnsupported unless that is linear.
nn::Network feature_extractor(const model::Model& model);

// Shafahi et al., algorithm 1: bases {n, ...} moved so that their features are those of the target
// {1, ...}. The loss is the mean squared distance of features, relative to where the bases begin.
Crafted collide_features(const nn::Network& features, const at::Tensor& bases,
                         const at::Tensor& target, const InputBox& box,
                         const CleanLabelOptions& options);

// What gradient matching needs to know of the attack.
struct MatchingProblem {
    at::Tensor bases, labels;            // {n, ...}, {n} int64
    at::Tensor wanted_x, wanted_labels;  // what is to be mistaken, with the labels to be said
    InputBox box;
    // Surrogates, trained with these poisons in the data (undefined: on clean data).
    std::function<std::vector<nn::Network>(const at::Tensor& poisons, uint64_t seed)> train;
};

int64_t retrainings_of(const CleanLabelOptions& options);

// Geiping et al. and Souri et al., section 3 each. The loss is 1 - cosine, mean over surrogates.
Crafted match_gradients(const MatchingProblem& problem, std::vector<nn::Network> surrogates,
                        const CleanLabelOptions& options);

// The `count` rows whose own gradient is largest (Souri et al., section 3.3).
std::vector<int64_t> largest_gradients(const nn::Network& network, const data::Dataset& data,
                                       const std::vector<int64_t>& rows, int64_t count);

}  // namespace ward::attack
