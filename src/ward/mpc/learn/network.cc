#include "ward/mpc/learn/network.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/learn/internal/worlds.h"
#include "ward/mpc/overlap.h"
#include "ward/mpc/share.h"
#include "ward/mpc/softmax.h"
#include "ward/mpc/truncate.h"

namespace ward::mpc {

using internal::copy_values;
using internal::reshaped;
using internal::scope_of;
using internal::verify;
using internal::zeros;

namespace {

constexpr int kReluBits = 30;  // as values stay below 2^13

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::kUsage, message); }

std::vector<NetworkStep> products_of(const std::vector<NetworkStep>& steps) {
    std::vector<NetworkStep> out;
    for (const NetworkStep& step : steps) {
        if (step.has_weights()) out.push_back(step);
    }
    return out;
}

void check(const std::vector<NetworkStep>& products, const NetworkWeights& initial,
           const TrainOptions& options) {
    if (initial.weights.size() != products.size() || initial.biases.size() != products.size()) {
        refuse("initial weights of " + std::to_string(initial.weights.size()) +
               " layers, expected " + std::to_string(products.size()));
    }
    for (size_t l = 0; l < products.size(); ++l) {
        const RingMatrix& w = initial.weights[l];
        const size_t rows = products[l].weight_rows(), cols = products[l].weight_cols();
        if (w.rows == rows && w.cols == cols && initial.biases[l].size() == cols) continue;
        refuse("weights of layer " + std::to_string(l) + " are " + std::to_string(w.rows) + " x " +
               std::to_string(w.cols) + ", expected " + std::to_string(rows) + " x " +
               std::to_string(cols));
    }
    if (options.batch_size == 0) refuse("the batch size must be > 0, got 0");
    if (!(options.momentum >= 0 && options.momentum < 1)) {
        refuse("the momentum must be in [0, 1), got " + std::to_string(options.momentum));
    }
    if (!(options.second_momentum >= 0 && options.second_momentum < 1)) {
        refuse("the second momentum must be in [0, 1), got " +
               std::to_string(options.second_momentum));
    }
}

// 1 / (number of values in the window of an average pool).
Ring mean_factor(const NetworkStep& step) {
    return encode_constant(1.0 / static_cast<double>(step.patches.box * step.patches.box));
}

// Columns first, first + count, ... of a matrix with as many blocks of `count` columns as entries.
RingMatrix block_of(const RingMatrix& x, size_t first, size_t count) {
    RingMatrix out(x.rows, count);
    for (size_t r = 0; r < x.rows; ++r) {
        copy_values(x, r * x.cols + first, out, r * count, count);
    }
    return out;
}
SharedMatrix block_of(const SharedMatrix& x, size_t first, size_t count) {
    SharedMatrix out(x.rows, count);
    for (size_t r = 0; r < x.rows; ++r) {
        copy_values(x, r * x.cols + first, out, r * count, count);
    }
    return out;
}

}  // namespace

NetworkWeights zero_weights(const NetworkShape& shape) {
    NetworkWeights out{.shape = shape, .weights = {}, .biases = {}};
    for (const NetworkStep& step : products_of(steps_of(shape))) {
        RingMatrix& w = out.weights.emplace_back(step.weight_rows(), step.weight_cols());
        std::fill(w.values.begin(), w.values.end(), Ring{0});
        RingMatrix& b = out.biases.emplace_back(1, step.weight_cols());
        std::fill(b.values.begin(), b.values.end(), Ring{0});
    }
    return out;
}

NetworkWeights initial_weights(const NetworkShape& shape, Random& random) {
    NetworkWeights out = zero_weights(shape);
    for (const NetworkStep& step : products_of(steps_of(shape))) {
        RingMatrix& w = out.weights[step.parameters];
        if (step.kind == NetworkStep::Kind::kGroupNorm) {
            std::fill(w.values.begin(), w.values.end(), encode_constant(1));
            continue;
        }
        const double bound = std::sqrt(6.0 / static_cast<double>(w.rows));
        for (Ring& value : w.values) {
            value = encode_constant((2 * random.uniform01() - 1) * bound);
        }
    }
    return out;
}

template <typename World>
BasicNetwork<World>::BasicNetwork(Context& context, const NetworkShape& shape,
                                  const NetworkWeights& initial, const TrainOptions& options)
    : context_(context), shape_(shape), steps_(steps_of(shape)), options_(options) {
    const std::vector<NetworkStep> products = products_of(steps_);
    check(products, initial, options);
    for (size_t l = 0; l < initial.weights.size(); ++l) {
        box_bits_.push_back(products[l].box_bits);
        by_channel_.push_back(products[l].kind == NetworkStep::Kind::kGroupNorm);
        weights_.push_back(share_public(context, initial.weights[l]));
        biases_.push_back(share_public(context, initial.biases[l]));
        weight_velocity_.push_back(zeros(weights_.back()));
        bias_velocity_.push_back(zeros(biases_.back()));
        weight_count_ += weights_.back().size() + biases_.back().size();
    }
    if (options.optimizer == Optimizer::kAdam) {
        squares_.push_back(zeros(Matrix(1, weight_count_)));
    }
    set_learning_rate(options.learning_rate);
    if (options.clipping_norm > 0) begin_clipping();
}

template <typename World>
auto BasicNetwork<World>::forward(const Matrix& inputs) -> Pass {
    [[maybe_unused]] const auto scope = scope_of(context_, "forward");
    if (inputs.cols != shape_.inputs()) {
        refuse("inputs have " + std::to_string(inputs.cols) + " columns, expected " +
               std::to_string(shape_.inputs()));
    }
    Pass pass;
    const bool image = !shape_.layers.empty() && shape_.image.channels > 1;
    Matrix x = image ? channels_last(shape_.image, inputs) : inputs;
    for (const NetworkStep& step : steps_) {
        x = forward_step(step, std::move(x), pass.memory.emplace_back());
    }
    pass.scores = std::move(x);
    return pass;
}

template <typename World>
auto BasicNetwork<World>::forward_step(const NetworkStep& step, Matrix x, Memory& memory)
    -> Matrix {
    const size_t rows = x.rows;
    switch (step.kind) {
        case NetworkStep::Kind::kRelu: {
            typename World::Relu result = relu(context_, x, kReluBits);
            memory.active = std::move(result.active);
            return std::move(result.value);
        }
        case NetworkStep::Kind::kProduct: {
            memory.input = step.is_dense() ? std::move(x) : take_patches(step.patches, x);
            const Matrix z = matmul_fixed(context_, memory.input, weights_[step.parameters],
                                          kFractionBits + step.box_bits);
            return reshaped(add_row(z, biases_[step.parameters]), rows, step.output.size());
        }
        case NetworkStep::Kind::kGroupNorm:
            return normalised(step, x, memory);
        default:
            return pooled(step, x, memory);
    }
}

template <typename World>
auto BasicNetwork<World>::pooled(const NetworkStep& step, const Matrix& x, Memory& memory)
    -> Matrix {
    const Matrix windows = take_patches(step.patches, x);
    if (step.kind == NetworkStep::Kind::kAveragePool) {
        const Matrix mean = truncate(context_, scale(windows, mean_factor(step)), kFractionBits);
        return reshaped(mean, x.rows, step.output.size());
    }
    std::vector<Matrix> entries;
    const size_t channels = step.output.channels;
    for (size_t at = 0; at < windows.cols; at += channels) {
        entries.push_back(block_of(windows, at, channels));
    }
    typename World::Largest result = largest(context_, std::move(entries));
    memory.winners = std::move(result.tournament);
    return reshaped(std::move(result.value), x.rows, step.output.size());
}

// The channels of each pixel times the factors (1 x channels).
template <typename World>
auto BasicNetwork<World>::times_channels(const Matrix& x, const Matrix& factors) -> Matrix {
    Matrix repeated(x.rows, x.cols);
    for (size_t at = 0; at < x.size(); at += factors.cols) {
        copy_values(factors, 0, repeated, at, factors.cols);
    }
    return multiply_fixed(context_, x, repeated, kFractionBits);
}

template <typename World>
auto BasicNetwork<World>::normalised(const NetworkStep& step, const Matrix& x, Memory& memory)
    -> Matrix {
    memory.normalised = group_norm(context_, step, x);
    const size_t channels = step.output.channels, pixels = x.size() / channels;
    memory.input = reshaped(memory.normalised.values, pixels, channels);
    const Matrix scaled = times_channels(memory.input, weights_[step.parameters]);
    return reshaped(add_row(scaled, biases_[step.parameters]), x.rows, x.cols);
}

template <typename World>
auto BasicNetwork<World>::loss_gradient(const Matrix& scores, const Matrix& labels) -> Matrix {
    if (options_.loss == Loss::kSquared) return subtract(scores, labels);
    return subtract(shape_.outputs() == 1 ? sigmoid(context_, scores) : softmax(context_, scores),
                    labels);
}

template <typename World>
auto BasicNetwork<World>::errors(Pass& pass, const Matrix& labels) -> std::vector<Matrix> {
    [[maybe_unused]] const auto scope = scope_of(context_, "backward");
    std::vector<Matrix> out(weights_.size());
    Matrix error = loss_gradient(pass.scores, labels);
    for (size_t i = steps_.size(); i-- > 0;) {
        const NetworkStep& step = steps_[i];
        if (step.has_weights()) {
            out[step.parameters] =
                reshaped(error, error.size() / step.output.channels, step.output.channels);
            if (step.parameters == 0) break;  // nothing to learn in front of it
        }
        error = backward_step(step, pass.memory[i], std::move(error));
    }
    return out;
}

// From the derivative by the outputs of a step to that by its inputs.
template <typename World>
auto BasicNetwork<World>::backward_step(const NetworkStep& step, const Memory& memory, Matrix error)
    -> Matrix {
    const size_t rows = error.rows, positions = step.patches.positions();
    const size_t channels = step.output.channels;
    if (step.kind == NetworkStep::Kind::kRelu) return select(context_, memory.active, error);
    if (step.kind == NetworkStep::Kind::kGroupNorm) {
        const Matrix scaled = times_channels(error, weights_[step.parameters]);
        return group_norm_back(context_, step, memory.normalised, scaled);
    }
    error = reshaped(std::move(error), rows * positions, channels);
    if (step.kind == NetworkStep::Kind::kProduct) {
        const Matrix turned = transpose(weights_[step.parameters]);
        if (step.is_dense()) return matmul_fixed(context_, error, turned, kFractionBits);
        const auto add_up = [&](const RingVector& in, RingVector& out) {
            add_patches(step.patches, in.data(), rows, out.data());
        };
        return matmul_mapped_fixed(context_, error, turned, add_up, rows, step.patches.image.size(),
                                   kFractionBits + step.box_bits);
    }
    if (step.kind == NetworkStep::Kind::kAveragePool) {
        return add_patches(step.patches,
                           truncate(context_, scale(error, mean_factor(step)), kFractionBits));
    }
    const std::vector<Matrix> entries = to_winner(context_, memory.winners, error);
    Matrix windows(error.rows, channels * entries.size());
    for (size_t e = 0; e < entries.size(); ++e) {
        for (size_t r = 0; r < error.rows; ++r) {
            copy_values(entries[e], r * channels, windows, r * windows.cols + e * channels,
                        channels);
        }
    }
    return add_patches(step.patches, windows);
}

template <typename World>
void BasicNetwork<World>::train_step(const Matrix& inputs, const Matrix& labels) {
    [[maybe_unused]] const auto scope = scope_of(context_, "train");
    if (inputs.rows != options_.batch_size || labels.rows != options_.batch_size ||
        labels.cols != shape_.outputs()) {
        refuse("a step needs " + std::to_string(options_.batch_size) + " rows and labels of " +
               std::to_string(shape_.outputs()) + " columns, got " + std::to_string(inputs.rows) +
               " rows and labels of " + std::to_string(labels.rows) + " x " +
               std::to_string(labels.cols));
    }
    Pass pass = forward(inputs);
    std::vector<Matrix> gradients = errors(pass, labels);
    update(pass, std::move(gradients));
    verify(context_);
}

template <typename World>
auto BasicNetwork<World>::scores(const Matrix& inputs) -> Matrix {
    return forward(inputs).scores;
}

template <typename World>
auto BasicNetwork<World>::state() const -> std::vector<Matrix> {
    std::vector<Matrix> out;
    for (const auto* part : {&weights_, &biases_, &weight_velocity_, &bias_velocity_, &squares_}) {
        out.insert(out.end(), part->begin(), part->end());
    }
    return out;
}

template <typename World>
void BasicNetwork<World>::restore(std::vector<Matrix> state, uint64_t steps) {
    const std::vector<Matrix> present = this->state();
    bool fits = state.size() == present.size();
    for (size_t i = 0; fits && i < state.size(); ++i) {
        fits = state[i].rows == present[i].rows && state[i].cols == present[i].cols;
    }
    if (!fits) throw Error(ErrorCode::kInvalid, "the saved state is that of another network");
    updates_ = steps;
    auto next = state.begin();
    for (auto* part : {&weights_, &biases_, &weight_velocity_, &bias_velocity_, &squares_}) {
        for (Matrix& matrix : *part) matrix = std::move(*next++);
    }
}

NetworkWeights Network::reveal(Party& party) const {
    NetworkWeights out{.shape = shape(), .weights = {}, .biases = {}};
    for (const SharedMatrix& w : weights()) out.weights.push_back(open(party, w));
    for (const SharedMatrix& b : biases()) out.biases.push_back(open(party, b));
    return out;
}

template class BasicNetwork<OnShares>;
template class BasicNetwork<InTheClear>;

}  // namespace ward::mpc
