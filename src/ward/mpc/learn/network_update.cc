// Steps of the optimizers: from what the way back gives to new weights.
#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "ward/core/error.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/learn/internal/worlds.h"
#include "ward/mpc/learn/network.h"
#include "ward/mpc/noise.h"
#include "ward/mpc/share.h"
#include "ward/mpc/truncate.h"

namespace ward::mpc {

using internal::copy_values;
using internal::reshaped;
using internal::scope_of;

namespace {

constexpr int kMinStepBits = 16;
constexpr int kMaxStepBits = 32;
constexpr double kMaxRate = 16;
constexpr double kMinStep = 64;    // units that the step keeps at least: 6 bits
constexpr int kClippedBits = 32;   // fraction bits of clipped errors
constexpr double kMaxSum = 8192;   // of clipped gradients and their velocity
constexpr double kNoiseTail = 12;  // deviations
constexpr int kSquareBits = 24;    // fraction bits of Adam's mean squares
constexpr double kAdamFloor = 0x1p-10;
constexpr double kMaxAdamNoise = 48;  // whose mean square, with a third party's, fits

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::kUsage, message); }

void require_exact(const Party& party) {
    if (party.truncation() == Truncation::kExact) return;
    throw Error(ErrorCode::kUnsupported,
                "the fast truncation can be far off, so clipping has no bound with it",
                "take the exact truncation");
}
void require_exact(const Twin&) {}

Security security_of(const Party& party) { return party.security(); }
Security security_of(const Twin&) { return Security::kSemiHonest; }

// 1 / max(sqrt(v), kAdamFloor) for v with 24 fraction bits, which the ladder takes for 256 v with
// 16. Relative error below 2^-8.
const Ladder& adam_ladder() {
    static const Ladder ladder = [] {
        constexpr double kUnit = 1 << (kSquareBits - kFractionBits);
        const double low = kAdamFloor * kAdamFloor * kUnit;
        std::vector<Ladder::Rung> rungs = {
            {.from = -1, .scale = 0, .shift = 1, .factor = 1 / kAdamFloor, .offset = 0}};
        for (double from = low, factor = 1 / kAdamFloor; from < kMaxSum * kUnit; from *= 16) {
            rungs.push_back({from, 1 / from, 0, factor, 0});
            factor /= 4;
        }
        return Ladder(
            Spline([](double u) { return 1 / std::sqrt(u); }, {.low = 1, .high = 16, .pieces = 8}),
            std::move(rungs), {.scale = 30, .factor = 24, .compared = 40});
    }();
    return ladder;
}

// A row as the diagonal of a square matrix, and back.
template <typename Matrix>
Matrix diagonal_matrix(const Matrix& row) {
    Matrix out = internal::zeros(Matrix(row.cols, row.cols));
    for (size_t c = 0; c < row.cols; ++c) copy_values(row, c, out, c * row.cols + c, 1);
    return out;
}
template <typename Matrix>
Matrix diagonal_of(const Matrix& square) {
    Matrix out(1, square.cols);
    for (size_t c = 0; c < square.cols; ++c) copy_values(square, c * square.cols + c, out, c, 1);
    return out;
}

// Each row of a column `times` times.
template <typename Matrix>
Matrix repeated_rows(const Matrix& column, size_t times) {
    Matrix out(column.rows * times, 1);
    for (size_t r = 0; r < out.rows; ++r) copy_values(column, r / times, out, r, 1);
    return out;
}

// All matrices as one row.
template <typename Matrix>
Matrix in_one_row(const std::vector<Matrix>& parts) {
    size_t total = 0, at = 0;
    for (const Matrix& part : parts) total += part.size();
    Matrix out(1, total);
    for (const Matrix& part : parts) {
        copy_values(part, 0, out, at, part.size());
        at += part.size();
    }
    return out;
}

// The row cut into the shapes of the matrices, which are overwritten.
template <typename Matrix>
void cut_row(const Matrix& row, std::vector<Matrix>& parts) {
    size_t at = 0;
    for (Matrix& part : parts) {
        copy_values(row, at, part, 0, part.size());
        at += part.size();
    }
}

}  // namespace

template <typename World>
void BasicNetwork<World>::set_learning_rate(double learning_rate) {
    if (!(learning_rate > 0 && learning_rate <= kMaxRate)) {
        refuse("the learning rate must be in (0, 16], got " + std::to_string(learning_rate));
    }
    options_.learning_rate = learning_rate;
    const bool adam = options_.optimizer == Optimizer::kAdam;
    step_ = adam ? learning_rate : learning_rate / static_cast<double>(options_.batch_size);
    const int most_bits = adam ? 0 : *std::ranges::max_element(box_bits_);
    const double smallest = std::ldexp(step_, -most_bits);
    step_bits_ = kMinStepBits;
    while (step_bits_ < kMaxStepBits && std::ldexp(smallest, step_bits_) < kMinStep) ++step_bits_;
    if (std::ldexp(smallest, step_bits_) < 0.5) refuse("learning rate / batch size is below 2^-33");
}

// Noise and bounds of private training; see clipping.h for what they are there for.
template <typename World>
void BasicNetwork<World>::begin_clipping() {
    require_exact(context_);
    check_adam();
    clipping_.emplace(steps_, options_.clipping_norm, security_of(context_));
    if (!(options_.noise_multiplier >= 0)) refuse("the noise multiplier must be >= 0");
    const double box = std::ldexp(1.0, *std::ranges::max_element(box_bits_));
    const double kept = options_.optimizer == Optimizer::kSgd ? options_.momentum : 0;
    const double clipped = options_.clipping_norm * static_cast<double>(options_.batch_size);
    const double noise = kNoiseTail * options_.clipping_norm * options_.noise_multiplier;
    if (const double sum = box * (clipped + noise) / (1 - kept); sum > kMaxSum) {
        refuse(
            "clipping norm times (batch size + 12 noise multipliers) / (1 - momentum) must be "
            "at most 8192, got " +
            std::to_string(sum));
    }
    if (security_of(context_) != Security::kMalicious || options_.noise_multiplier == 0) return;
    // The velocity is divided with the new sum, before that gets its noise. What a corrupt party
    // adds to it must not lead the division out of its range, where one example could move it far.
    const Ring bound = internal::noise_bound(weight_count_, noise_deviation_units());
    const double added = kept / (1 - kept) * 2 * static_cast<double>(bound) / kOne;
    if (const double sum = box * ((clipped + noise) / (1 - kept) + added); sum > kMaxSum) {
        refuse(
            "with security: malicious the noise that a party may add, times momentum / (1 - "
            "momentum), must leave the sums below 8192, got " +
            std::to_string(sum) + "; take a smaller momentum");
    }
}

template <typename World>
void BasicNetwork<World>::check_adam() const {
    if (options_.optimizer != Optimizer::kAdam) return;
    const double noise = std::ldexp(options_.clipping_norm * options_.noise_multiplier,
                                    *std::ranges::max_element(box_bits_));
    if (noise > kMaxAdamNoise) {
        refuse("Adam needs a clipping norm times noise multiplier of at most 48, got " +
               std::to_string(noise));
    }
}

template <typename World>
auto BasicNetwork<World>::inputs_of_products(Pass& pass) -> std::vector<Matrix> {
    std::vector<Matrix> out;
    for (size_t i = 0; i < steps_.size(); ++i) {
        if (!steps_[i].has_weights()) continue;
        out.push_back(std::move(pass.memory[i].input));
    }
    return out;
}

// Sums over the batch, those of all weights before those of all biases, with `momentum` times the
// velocities. Errors have `error_bits` fraction bits.
template <typename World>
auto BasicNetwork<World>::gradient_sums(const std::vector<Matrix>& inputs,
                                        const std::vector<Matrix>& errors, int error_bits,
                                        double momentum) -> std::vector<Matrix> {
    const size_t layers = weights_.size();
    const auto factor = static_cast<Ring>(std::llround(std::ldexp(momentum, error_bits)));
    std::vector<Matrix> turned, kept;
    for (size_t l = 0; l < layers; ++l) turned.push_back(transpose(inputs[l]));
    for (const auto* velocities : {&weight_velocity_, &bias_velocity_}) {
        for (const Matrix& velocity : *velocities) kept.push_back(scale(velocity, factor));
    }
    // Of a group norm only the products of a channel with itself count.
    for (size_t l = 0; l < layers; ++l) {
        if (by_channel_[l]) kept[l] = diagonal_matrix(kept[l]);
    }
    std::vector<typename World::ProductOf> products;
    for (size_t l = 0; l < layers; ++l) products.push_back({&turned[l], &errors[l], &kept[l]});
    // Biases need no product: sums are local, and divided with the rest.
    for (size_t l = 0; l < layers; ++l) {
        Matrix& sum = kept[layers + l];
        sum = add(sum, scale(sum_rows(errors[l]), encode_constant(std::ldexp(1.0, box_bits_[l]))));
        products.push_back({nullptr, nullptr, &sum});
    }
    std::vector<Matrix> sums = matmul_fixed(context_, products, error_bits);
    for (size_t l = 0; l < layers; ++l) {
        if (by_channel_[l]) sums[l] = diagonal_of(sums[l]);
    }
    return sums;
}

// Keeps all but the network's own inputs in the bounds of clipping.h, for the gradient only.
template <typename World>
void BasicNetwork<World>::cap_for_clipping(std::vector<Matrix>& inputs,
                                           std::vector<Matrix>& errors) {
    const std::ptrdiff_t own = steps_.front().has_weights() ? 1 : 0;  // bounded by their owner
    std::vector<Matrix> all(inputs.begin() + own, inputs.end());
    RingVector bounds;
    for (size_t l = static_cast<size_t>(own); l < inputs.size(); ++l) {
        const double bound = clipping_->layers()[l].input_bound();
        bounds.insert(bounds.end(), inputs[l].size(), encode_constant(bound));
    }
    for (const Matrix& d : errors) {
        bounds.insert(bounds.end(), d.size(), encode_constant(kMaxPrivateError));
    }
    all.insert(all.end(), errors.begin(), errors.end());
    cut_row(cap(context_, in_one_row(all), bounds), all);
    const auto hidden = static_cast<std::ptrdiff_t>(inputs.size()) - own;
    std::move(all.begin(), all.begin() + hidden, inputs.begin() + own);
    std::move(all.begin() + hidden, all.end(), errors.begin());
}

// The sums of clipped gradients with their noise.
template <typename World>
auto BasicNetwork<World>::private_sums(std::vector<Matrix> inputs, std::vector<Matrix> errors,
                                       double momentum) -> std::vector<Matrix> {
    cap_for_clipping(inputs, errors);
    const Matrix factors = clip_factors(context_, *clipping_, inputs, errors);
    std::vector<Matrix> repeated;
    for (const Matrix& d : errors) {
        repeated.push_back(repeat_column(repeated_rows(factors, d.rows / factors.rows), d.cols));
    }
    cut_row(multiply(context_, in_one_row(errors), in_one_row(repeated)), errors);
    std::vector<Matrix> sums = gradient_sums(inputs, errors, kClippedBits, momentum);
    if (options_.noise_multiplier == 0) return sums;
    // Sums of a layer are 2^box_bits too large, and so is their noise: drawn with that deviation,
    // since multiples of noise would leave the lowest bits of the sums as they are.
    for (const int bits : std::set<int>(box_bits_.begin(), box_bits_.end())) {
        std::vector<size_t> places;
        std::vector<Matrix> parts;
        for (size_t i = 0; i < sums.size(); ++i) {
            if (box_bits_[i % box_bits_.size()] != bits) continue;
            places.push_back(i);
            parts.push_back(sums[i]);
        }
        const Matrix row = in_one_row(parts);
        const Matrix noise = discrete_gaussian_noise(context_, 1, row.cols,
                                                     std::ldexp(noise_deviation_units(), bits));
        cut_row(add(row, noise), parts);
        for (size_t k = 0; k < places.size(); ++k) sums[places[k]] = std::move(parts[k]);
    }
    return sums;
}

template <typename World>
double BasicNetwork<World>::noise_deviation_units() const {
    return options_.noise_multiplier * (std::ldexp(options_.clipping_norm, kFractionBits) +
                                        std::sqrt(static_cast<double>(weight_count_)));
}

template <typename World>
void BasicNetwork<World>::update(Pass& pass, std::vector<Matrix> errors) {
    [[maybe_unused]] const auto scope = scope_of(context_, "update");
    const bool adam = options_.optimizer == Optimizer::kAdam;
    const double momentum = adam ? 0 : options_.momentum;
    std::vector<Matrix> inputs = inputs_of_products(pass);
    std::vector<Matrix> sums = clipping_
                                   ? private_sums(std::move(inputs), std::move(errors), momentum)
                                   : gradient_sums(inputs, errors, kFractionBits, momentum);
    ++updates_;
    if (adam) return adam_step(std::move(sums));
    const size_t layers = weights_.size();
    std::vector<Matrix> scaled;
    for (size_t i = 0; i < sums.size(); ++i) {
        const double step = std::ldexp(step_, step_bits_ - box_bits_[i % layers]);
        scaled.push_back(scale(sums[i], static_cast<Ring>(std::llround(step))));
        (i < layers ? weight_velocity_[i] : bias_velocity_[i - layers]) = std::move(sums[i]);
    }
    move_weights(in_one_row(scaled));
}

// Kingma, Ba, ICLR 2015, with 1 / max(sqrt(v), 2^-10) in place of 1 / (sqrt(v) + epsilon), on sums
// of a batch; their root mean square must stay below 64.
template <typename World>
void BasicNetwork<World>::adam_step(std::vector<Matrix> sums) {
    std::vector<Matrix> means;
    for (const auto* part : {&weight_velocity_, &bias_velocity_}) {
        means.insert(means.end(), part->begin(), part->end());
    }
    const Matrix sum = in_one_row(sums);
    const Ring first = encode_constant(options_.momentum);
    const Ring second = encode_constant(options_.second_momentum), one = encode_constant(1);
    const Matrix mean = truncate(
        context_, add(scale(in_one_row(means), first), scale(sum, one - first)), kFractionBits);
    // v has 24 fraction bits, the new square 32; both become 48.
    const Matrix square = multiply(context_, sum, sum);
    squares_[0] = truncate(context_,
                           add(scale(squares_[0], second << (kSquareBits - kFractionBits)),
                               scale(square, one - second)),
                           kSquareBits);
    cut_row(mean, means);
    const size_t layers = weights_.size();
    std::move(means.begin(), means.begin() + static_cast<std::ptrdiff_t>(layers),
              weight_velocity_.begin());
    std::move(means.begin() + static_cast<std::ptrdiff_t>(layers), means.end(),
              bias_velocity_.begin());
    const Matrix inverse = evaluate(context_, adam_ladder(), squares_[0]);
    const Matrix move = multiply_fixed(context_, mean, inverse, kFractionBits);
    const auto steps = static_cast<double>(updates_);
    const double correction = std::sqrt(1 - std::pow(options_.second_momentum, steps)) /
                              (1 - std::pow(options_.momentum, steps));
    move_weights(
        scale(move, static_cast<Ring>(std::llround(std::ldexp(step_ * correction, step_bits_)))));
}

// Subtracts the row, which has step_bits_ more fraction bits; in the order of gradient_sums.
template <typename World>
void BasicNetwork<World>::move_weights(const Matrix& scaled) {
    const Matrix moves = truncate(context_, scaled, step_bits_);
    size_t at = 0;
    for (auto* part : {&weights_, &biases_}) {
        for (Matrix& w : *part) {
            Matrix own(w.rows, w.cols);
            copy_values(moves, at, own, 0, w.size());
            w = subtract(w, own);
            at += w.size();
        }
    }
}

template class BasicNetwork<OnShares>;
template class BasicNetwork<InTheClear>;

}  // namespace ward::mpc
