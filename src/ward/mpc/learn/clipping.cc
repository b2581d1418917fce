#include "ward/mpc/learn/clipping.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/learn/internal/worlds.h"
#include "ward/mpc/truncate.h"

namespace ward::mpc {

using internal::copy_values;

namespace {

constexpr double kMinNorm = 1.0 / 16, kMaxNorm = 256;
constexpr double kMargin = 1 - 0x1p-9;
constexpr int kInputBits = 8;    // of |a|^2 + 1
constexpr int kSquareBits = 32;  // of |d|^2
constexpr int kProductBits = 61;
constexpr int kScaleBits = 42;
constexpr int kFactorBits = 30;
constexpr double kMaxSquare = 0x1p30;
constexpr double kRoom = 1.25;
constexpr double kMaxSquareSum = 0x1p60;  // units: what rows of gradients may be squared to
constexpr int kMinGradientBits = 8;
constexpr double kRoundingShare = 0x1p-7;  // e of clipping.h

std::vector<Clipping::Layer> layers_of(const std::vector<NetworkStep>& steps) {
    std::vector<Clipping::Layer> out;
    for (const NetworkStep& step : steps) {
        if (!step.has_weights()) continue;
        if (step.kind == NetworkStep::Kind::kGroupNorm) {
            throw Error(ErrorCode::kUnsupported,
                        "clipping of examples has no form for group norms on shares",
                        "train without group norms, or leave privacy out");
        }
        out.push_back({step.is_dense() && step.box_bits == 0, step.patches.positions(),
                       step.weight_rows(), step.weight_cols(), step.box_bits});
    }
    return out;
}

// The largest that (|a|^2 + 1) |d|^2 can be, with the rounding of both factors.
double largest_of_dense(const Clipping::Layer& layer) {
    const double a = static_cast<double>(layer.patch) * kMaxPrivateInput * kMaxPrivateInput;
    return (a + 2) * (static_cast<double>(layer.outputs) * kMaxPrivateError + 1);
}

// |G|^2 is at most |patches|^2 |errors|^2.
double largest_of_weights(const Clipping::Layer& layer) {
    const auto positions = static_cast<double>(layer.positions);
    const double bound = layer.input_bound() / static_cast<double>(1 << layer.box_bits);
    return positions * static_cast<double>(layer.patch) * bound * bound * positions *
           static_cast<double>(layer.outputs) * kMaxPrivateError * kMaxPrivateError;
}

double largest_of_biases(const Clipping::Layer& layer) {
    const double sum = static_cast<double>(layer.positions) * kMaxPrivateError;
    return static_cast<double>(layer.outputs) * sum * sum;
}

// Of the squared norm of a whole gradient, with room for what is rounded.
double largest_square(const std::vector<Clipping::Layer>& layers) {
    double sum = 0;
    for (const Clipping::Layer& layer : layers) {
        sum += layer.is_dense ? largest_of_dense(layer)
                              : kRoom * (largest_of_weights(layer) + largest_of_biases(layer)) + 1;
    }
    return sum;
}

bool has_convolutions(const std::vector<Clipping::Layer>& layers) {
    return !std::ranges::all_of(layers, &Clipping::Layer::is_dense);
}

double require_norm(double norm) {
    if (norm >= kMinNorm && norm <= kMaxNorm) return norm;
    throw Error(ErrorCode::kUsage,
                "the clipping norm must be from 1/16 to 256, got " + std::to_string(norm));
}

// min(1, norm / sqrt(x)), never above it.
Ladder make_ladder(double norm, double largest) {
    const double square = norm * norm;
    std::vector<Ladder::Rung> rungs = {
        {.from = -1, .scale = 0, .shift = 1, .factor = kMargin, .offset = 0}};
    double from = square, factor = 1;
    while (from < largest) {
        // Ends are rounded downwards: u a little below 1 is taken for 1.
        rungs.push_back({.from = std::floor(from * kOne) / kOne,
                         .scale = 1 / from,
                         .shift = 0,
                         .factor = factor * kMargin,
                         .offset = 0});
        from *= 4;
        factor /= 2;
    }
    if (rungs.size() < 2)
        rungs.push_back({.from = largest, .scale = 1 / square, .factor = kMargin});
    return Ladder(
        Spline([](double u) { return 1 / std::sqrt(u); }, {.low = 1, .high = 4, .pieces = 16}),
        std::move(rungs), {.scale = kScaleBits, .factor = kFactorBits, .compared = 64});
}

SharedMatrix plus(Party& party, const SharedMatrix& x, Ring constant) {
    return add_public(party, x, constant);
}
RingMatrix plus(Twin&, RingMatrix x, Ring constant) {
    for (Ring& value : x.values) value += constant;
    return x;
}

// ---- the squared norm, with 16 fraction bits and not below the right value

// Over all dense layers: (|a|^2 + 1) |d|^2.
template <typename World, typename Matrix, typename Pair>
Matrix square_of_dense(World& world, const Clipping& clipping, const std::vector<Pair>& inputs,
                       const std::vector<Pair>& errors) {
    const Ring units = clipping.division_units();
    // |a|^2 + 1 with 8 fraction bits, not below the right value.
    const Matrix inputs_square =
        plus(world,
             truncate(world, plus(world, row_products(world, inputs), Ring{1} << kSquareBits),
                      kSquareBits - kInputBits),
             units);
    Matrix errors_square = row_products(world, errors);
    if (clipping.error_shift() > 0) {
        errors_square = plus(world, truncate(world, errors_square, clipping.error_shift()), units);
    }
    const Pair both[] = {{&inputs_square, &errors_square}};
    return plus(world, truncate(world, row_products(world, both), clipping.sum_shift()), units);
}

template <typename Matrix>
Matrix rows_of(const Matrix& x, size_t first, size_t count) {
    Matrix out(count, x.cols);
    copy_values(x, first * x.cols, out, 0, out.size());
    return out;
}

// A row of patch * outputs values for each example: its gradient by the weights.
template <typename World, typename Matrix, typename Pair>
Matrix gradients_of_weights(World& world, const Clipping& clipping, const Clipping::Layer& layer,
                            const Matrix& inputs, const Matrix& errors) {
    const size_t examples = errors.rows / layer.positions;
    std::vector<Matrix> patches, own_errors;
    for (size_t i = 0; i < examples; ++i) {
        patches.push_back(transpose(rows_of(inputs, i * layer.positions, layer.positions)));
        own_errors.push_back(rows_of(errors, i * layer.positions, layer.positions));
    }
    std::vector<Pair> products;
    for (size_t i = 0; i < examples; ++i) products.push_back({&patches[i], &own_errors[i]});
    const std::vector<Matrix> found =
        matmul_fixed(world, products, kSquareBits + layer.box_bits - clipping.gradient_bits());
    Matrix out(examples, layer.patch * layer.outputs);
    for (size_t i = 0; i < examples; ++i) copy_values(found[i], 0, out, i * out.cols, out.cols);
    return out;
}

// The same by the biases: errors of all positions. Local, so nothing is rounded.
template <typename Matrix>
Matrix gradients_of_biases(const Clipping::Layer& layer, const Matrix& errors) {
    const size_t examples = errors.rows / layer.positions;
    Matrix out(examples, layer.outputs);
    for (size_t i = 0; i < examples; ++i) {
        copy_values(sum_rows(rows_of(errors, i * layer.positions, layer.positions)), 0, out,
                    i * layer.outputs, layer.outputs);
    }
    return out;
}

// The sum of the columns of x, each divided by 2^shift and rounded upwards.
template <typename World, typename Matrix>
Matrix divided_sum(World& world, const Clipping& clipping, const Matrix& x, int shift) {
    const Matrix parts =
        plus(world, shift > 0 ? truncate(world, x, shift) : x, clipping.division_units());
    const Matrix turned = transpose(parts);
    Matrix out = transpose(rows_of(turned, 0, 1));
    for (size_t c = 1; c < turned.rows; ++c) out = add(out, transpose(rows_of(turned, c, 1)));
    return out;
}

template <typename World, typename Matrix, typename Pair>
Matrix square_of_convolutions(World& world, const Clipping& clipping,
                              const std::vector<Matrix>& inputs,
                              const std::vector<Matrix>& errors) {
    std::vector<Matrix> weights, biases;
    for (size_t l = 0; l < inputs.size(); ++l) {
        const Clipping::Layer& layer = clipping.layers()[l];
        if (layer.is_dense) continue;
        weights.push_back(gradients_of_weights<World, Matrix, Pair>(world, clipping, layer,
                                                                    inputs[l], errors[l]));
        biases.push_back(gradients_of_biases(layer, errors[l]));
    }
    std::vector<Pair> weight_pairs, bias_pairs;
    for (const Matrix& g : weights) weight_pairs.push_back({&g, &g});
    for (const Matrix& g : biases) bias_pairs.push_back({&g, &g});
    const Matrix of_weights = divided_sum(world, clipping, row_products(world, weight_pairs),
                                          2 * clipping.gradient_bits() - kFractionBits);
    const Matrix of_biases =
        divided_sum(world, clipping, row_products(world, bias_pairs), kSquareBits - kFractionBits);
    return plus(world, add(of_weights, of_biases), clipping.rounding());
}

template <typename World, typename Matrix, typename Pair>
Matrix factors(World& world, const Clipping& clipping, const std::vector<Matrix>& inputs,
               const std::vector<Matrix>& errors) {
    std::vector<Pair> input_pairs, error_pairs;
    for (size_t l = 0; l < inputs.size(); ++l) {
        if (!clipping.layers()[l].is_dense) continue;
        input_pairs.push_back({&inputs[l], &inputs[l]});
        error_pairs.push_back({&errors[l], &errors[l]});
    }
    std::vector<Matrix> squares;
    if (!input_pairs.empty()) {
        squares.push_back(
            square_of_dense<World, Matrix, Pair>(world, clipping, input_pairs, error_pairs));
    }
    if (has_convolutions(clipping.layers())) {
        squares.push_back(
            square_of_convolutions<World, Matrix, Pair>(world, clipping, inputs, errors));
    }
    const Matrix square = squares.size() == 1 ? squares[0] : add(squares[0], squares[1]);
    return plus(world, evaluate(world, clipping.ladder(), square), 0 - clipping.division_units());
}

// C, a little smaller where convolutions are rounded.
double bound_of(const std::vector<Clipping::Layer>& layers, double norm) {
    return has_convolutions(layers) ? norm / std::sqrt(1 + kRoundingShare) : norm;
}

}  // namespace

Clipping::Clipping(const std::vector<NetworkStep>& steps, double norm, Security security)
    : norm_(require_norm(norm)),
      layers_(layers_of(steps)),
      division_units_(security == Security::kMalicious ? 2 : 1),
      ladder_(make_ladder(bound_of(layers_, norm_), largest_square(layers_))) {
    check_widths();
    choose_bits();
}

void Clipping::check_widths() const {
    const double largest = largest_square(layers_);
    if (largest > kMaxSquare) {
        throw Error(ErrorCode::kUnsupported, "the network is too wide for clipping on shares");
    }
    // The factor of a huge gradient may come out as minus one unit (minus three: 1.5 off and two
    // less), which must not exceed the norm either.
    const double most_negative = division_units_ == 1 ? 1 : 3;
    if (most_negative * std::sqrt(largest) > norm_ * kOne) {
        throw Error(ErrorCode::kUnsupported,
                    "the network is too wide for clipping to the norm " + std::to_string(norm_),
                    "take a larger clipping norm");
    }
}

void Clipping::choose_bits() {
    double dense = 0, widest = 1, rounded = 0, biases = 0;
    for (const Layer& layer : layers_) {
        if (layer.is_dense) {
            dense += largest_of_dense(layer);
        } else {
            widest = std::max(widest, kRoom * largest_of_weights(layer) + 1);
            rounded += static_cast<double>(layer.patch * layer.outputs);
            biases = std::max(biases, largest_of_biases(layer));
        }
    }
    if (dense > 0) {
        const int bits =
            kInputBits + kSquareBits + 1 + static_cast<int>(std::ceil(std::log2(dense)));
        error_shift_ = std::max(0, bits - kProductBits);
        sum_shift_ = kInputBits + kSquareBits - error_shift_ - kFractionBits;
    }
    gradient_bits_ = std::min(kFractionBits,
                              static_cast<int>(std::floor(std::log2(kMaxSquareSum / widest) / 2)));
    if (gradient_bits_ < kMinGradientBits || std::ldexp(biases, kSquareBits) > kMaxSquareSum) {
        throw Error(ErrorCode::kUnsupported, "the network is too wide for clipping on shares");
    }
    const double unit = static_cast<double>(division_units_) * std::ldexp(1.0, -gradient_bits_);
    rounding_ = static_cast<Ring>(std::ceil(rounded * unit * unit / kRoundingShare * kOne));
}

SharedMatrix clip_factors(Party& party, const Clipping& clipping,
                          const std::vector<SharedMatrix>& inputs,
                          const std::vector<SharedMatrix>& errors) {
    const net::TrafficLedger::Scope scope(party.ledger(), "clip");
    return factors<Party, SharedMatrix, Product>(party, clipping, inputs, errors);
}

RingMatrix clip_factors(Twin& twin, const Clipping& clipping, const std::vector<RingMatrix>& inputs,
                        const std::vector<RingMatrix>& errors) {
    return factors<Twin, RingMatrix, PlainProduct>(twin, clipping, inputs, errors);
}

}  // namespace ward::mpc
