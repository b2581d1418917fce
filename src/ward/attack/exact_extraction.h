// Functionally equivalent extraction: a ReLU network with one hidden layer, from its outputs alone,
// to the precision of the arithmetic.
//
// Jagielski, Carlini, Berthelot, Kurakin, Papernot (USENIX Security 2020), section 5, and Carlini,
// Jagielski, Mironov: Cryptanalytic Extraction of Neural Network Models (CRYPTO 2020), section 4:
//   1. bends along random lines are points where one neuron turns on or off (internal/bends.h);
//   2. the difference of the gradients on both sides of such a point, by finite differences, is
//      that neuron's weight vector times its outgoing weights; its offset follows from the point;
//   3. what is left of the function is linear; written in the neurons' weight vectors it says which
//      neurons were found with the wrong sign, as relu(-z) = relu(z) - z;
//   4. the last layer by least squares.
// A linear part that is left over (neurons that never switch near the queries, or more neurons than
// inputs) is kept: 2 further neurons per output carry it. A target that is linear everywhere is
// copied too, and said to be linear.
//
// Threat: real-valued outputs (logits, or any affine function of them) in full precision for inputs
// of the attacker's choice, also outside the range of valid ones. Budget: queries; some 2 (inputs +
// 1) per neuron and a few thousand per line. Rounded outputs, labels and probabilities defeat it.
//
// Thread safety: none.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "ward/model/model.h"

namespace ward::attack {

// x {n, inputs} float64 -> {n, outputs} float64.
using ExactOracle = std::function<at::Tensor(const at::Tensor& x)>;

struct ExactExtractionOptions {
    double range = 1000;           // of the search along lines through points around 0
    int64_t idle_lines = 3;        // ends after so many lines without a new neuron
    int64_t most_lines = 100;      // ... and after so many in any case
    int64_t most_queries = 0;      // 0: no limit; what was found by then is handed back
    int64_t check_points = 10000;  // random inputs of the comparison; not queries of the attack
    uint64_t seed = 0;
};

struct ExactExtraction {
    at::Tensor weight1, bias1;  // {neurons, inputs}, {neurons}, float64
    at::Tensor weight2, bias2;  // {outputs, neurons}, {outputs}
    int64_t neurons = 0;        // found by their bends; further ones carry a linear part
    bool linear_part = false;   // whether there is one
    // Nothing bends: the target is a linear function wherever it was asked, and was copied as such.
    bool linear() const { return neurons == 0 && linear_part; }
    bool complete = true;       // false: the budget of queries ended the search
    int64_t queries = 0, lines = 0;
    double max_error = 0;  // largest difference of an output over the check points, N(0, 1) inputs
    double output_scale = 0;  // root mean square of the outputs there
    double seconds = 0;

    at::Tensor operator()(const at::Tensor& x) const;  // in float64
};

// Throws Error kUsage (options out of range), kInvalid (outputs that are not finite or of another
// shape), kUnsupported (nothing was found that bends: not a network of this kind, or its outputs
// are rounded).
ExactExtraction extract_exactly(const ExactOracle& oracle, int64_t inputs,
                                const ExactExtractionOptions& options);

// A model as such an oracle: its weights in float64. Throws Error kUnsupported unless it is made of
// flatten, linear and relu layers only.
ExactOracle exact_oracle(const model::Model& model);

// The same function as a model, in float32.
model::Model to_model(const ExactExtraction& extraction, const model::Shape& input_shape,
                      model::Task task);

}  // namespace ward::attack
