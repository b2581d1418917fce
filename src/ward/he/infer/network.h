// A model as encrypted inference sees it: affine maps between units with a polynomial after each.
//
// `lower` brings a model into this form: adjacent linear layers become one sparse matrix (a pool
// and the convolution behind it, for example), a square stays, any other activation becomes a
// polynomial that is fitted where its inputs lie. `evaluate` computes the same network without
// encryption: the twin that encrypted results are compared with.
//
// Thread safety: value types and functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ward/model/model.h"

namespace ward::he {

struct Interval {
    double low = 0, high = 0;

    double magnitude() const;
    bool operator==(const Interval&) const = default;
};

// By rows; row i holds the entries start[i] .. start[i + 1] - 1, columns in order. Entries that the
// layers allow are kept even where a weight is 0: what runs shows the architecture, not the
// weights.
struct SparseMatrix {
    int64_t rows = 0, columns = 0;
    std::vector<int64_t> start{0};
    std::vector<int32_t> column;
    std::vector<double> value;

    int64_t entries() const { return static_cast<int64_t>(column.size()); }
};

SparseMatrix multiply(const SparseMatrix& a, const SparseMatrix& b);
SparseMatrix add(const SparseMatrix& a, const SparseMatrix& b);

// Not below the largest singular value, and seldom above 1.4 times it.
double norm_bound(const SparseMatrix& matrix);

// p(x) = sum of chebyshev[k] T_k(x / radius), for |x| <= radius; or the square, exactly.
struct PolynomialActivation {
    std::string function;           // "square", "relu", ...
    std::vector<double> chebyshev;  // empty: the square
    double radius = 1;
    double fit_error = 0;  // root mean square over the examples it was fitted to
    // The largest |d p / d (x / radius)| that these examples show, times the margin; 0: unknown.
    double slope = 0;

    bool is_square() const { return chebyshev.empty(); }
    double operator()(double x) const;
    int depth() const;  // levels it takes
};

// What an earlier stage began with comes into the sums of a later one: residual blocks.
struct Skip {
    int from = 0;  // the stage
    SparseMatrix matrix;
};

// y = activation(matrix s(x) + skips + bias); s(x) is x, or for pool > 1 sums over squares of pool
// x pool pixels that begin at each pixel: pooling takes additions and no level.
struct Stage {
    std::string name;  // layers it came from: "conv1", "pool1+conv2"
    SparseMatrix matrix;
    std::vector<double> bias;
    std::vector<Skip> skips;  // by rising stages
    bool has_activation = false;
    PolynomialActivation activation;
    // Images keep their places: shapes {C, H, W} and the stride between them; 0: not spatial.
    model::Shape input_shape, output_shape;
    int64_t stride = 0;
    int64_t pool = 1;  // a power of two
};

struct Network {
    std::string name;
    model::Shape input_shape;
    int64_t inputs = 0, outputs = 0;
    std::vector<Stage> stages;

    int depth() const;  // levels: one for each matrix, more for activations
};

struct LowerOptions {
    int activation_degree = 7;  // of polynomials in place of other activations than squares
    // Examples, one after the other, that show where activations work; public or the model owner's.
    // Needed for activations other than squares.
    std::span<const float> calibration;
    double margin = 1.25;  // radius over the largest value that the examples show
};

// Throws Error kUnsupported for a layer that has no encrypted form (its name and why), kInvalid
// when weights and spec do not fit or the calibration is missing.
Network lower(const model::Model& model, const LowerOptions& options = {});

// The network without encryption, in doubles.
std::vector<double> evaluate(const Network& network, std::span<const double> input);

// One stage; `operands` are the inputs of the network and the outputs of the stages before.
std::vector<double> evaluate_stage(const Stage& stage,
                                   std::span<const std::vector<double>> operands);

// s(x) of a stage, for numbers and for intervals. Sums over the edge of the image are of what is
// inside.
std::vector<double> pooled(const Stage& stage, std::span<const double> x);
std::vector<Interval> pooled(const Stage& stage, std::span<const Interval> x);

// Values that each unit of a stage can take before its activation, given those of its inputs: the
// last of `operands`, which begin with the inputs of the network.
std::vector<Interval> propagate(const Stage& stage,
                                std::span<const std::vector<Interval>> operands);
// What skips add to them.
std::vector<Interval> skip_sums(const Stage& stage,
                                std::span<const std::vector<Interval>> operands);
// After it.
Interval apply(const PolynomialActivation& activation, const Interval& x);

}  // namespace ward::he
