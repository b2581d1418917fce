#include "ward/mpc/learn/clipping.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/truncate.h"

namespace ward::mpc {
namespace {

constexpr double kMinNorm = 1.0 / 16, kMaxNorm = 256;
constexpr double kMargin = 1 - 0x1p-9;
constexpr int kInputBits = 8;    // of |a|^2 + 1
constexpr int kSquareBits = 32;  // of |d|^2
constexpr int kProductBits = 61;
constexpr int kScaleBits = 42;
constexpr int kFactorBits = 30;
constexpr double kMaxSquare = 0x1p30;

// The largest that (|a|^2 + 1) |d|^2 can be, summed over layers.
double largest_square(const std::vector<NetworkStep>& steps) {
    double sum = 0;
    for (const NetworkStep& step : steps) {
        if (!step.has_weights()) continue;
        if (step.kind == NetworkStep::Kind::kGroupNorm || !step.is_dense()) {
            throw Error(
                ErrorCode::kUnsupported,
                "clipping of examples has no form for convolutions and group norms on shares",
                "train a dense network with privacy, or leave privacy out");
        }
        const double a =
            static_cast<double>(step.weight_rows()) * kMaxPrivateInput * kMaxPrivateInput;
        sum += (a + 2) * (static_cast<double>(step.weight_cols()) * kMaxPrivateError + 1);
    }
    if (sum > kMaxSquare) {
        throw Error(ErrorCode::kUnsupported, "the network is too wide for clipping on shares");
    }
    return sum;
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

template <typename World, typename Matrix, typename Pair>
Matrix factors(World& world, const Clipping& clipping, const std::vector<Matrix>& inputs,
               const std::vector<Matrix>& errors) {
    std::vector<Pair> input_pairs, error_pairs;
    for (const Matrix& x : inputs) input_pairs.push_back({&x, &x});
    for (const Matrix& d : errors) error_pairs.push_back({&d, &d});
    const Ring units = clipping.division_units();
    // |a|^2 + 1 with 8 fraction bits, not below the right value.
    const Matrix inputs_square =
        plus(world,
             truncate(world, plus(world, row_products(world, input_pairs), Ring{1} << kSquareBits),
                      kSquareBits - kInputBits),
             units);
    Matrix errors_square = row_products(world, error_pairs);
    if (clipping.error_shift() > 0) {
        errors_square = plus(world, truncate(world, errors_square, clipping.error_shift()), units);
    }
    const Pair both[] = {{&inputs_square, &errors_square}};
    const Matrix square =
        plus(world, truncate(world, row_products(world, both), clipping.sum_shift()), units);
    return plus(world, evaluate(world, clipping.ladder(), square), 0 - units);
}

}  // namespace

Clipping::Clipping(const std::vector<NetworkStep>& steps, double norm, Security security)
    : norm_(require_norm(norm)),
      division_units_(security == Security::kMalicious ? 2 : 1),
      ladder_(make_ladder(norm_, largest_square(steps))) {
    // The factor of a huge gradient may come out as minus one unit (minus three: 1.5 off and two
    // less), which must not exceed the norm either.
    const double most_negative = security == Security::kMalicious ? 3 : 1;
    if (most_negative * std::sqrt(largest_square(steps)) > norm * kOne) {
        throw Error(ErrorCode::kUnsupported,
                    "the network is too wide for clipping to the norm " + std::to_string(norm),
                    "take a larger clipping norm");
    }
    const int bits = kInputBits + kSquareBits + 1 +
                     static_cast<int>(std::ceil(std::log2(largest_square(steps))));
    error_shift_ = std::max(0, bits - kProductBits);
    sum_shift_ = kInputBits + kSquareBits - error_shift_ - kFractionBits;
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
