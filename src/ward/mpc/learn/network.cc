#include "ward/mpc/learn/network.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/overlap.h"
#include "ward/mpc/share.h"
#include "ward/mpc/softmax.h"
#include "ward/mpc/truncate.h"

namespace ward::mpc {
namespace {

constexpr int kReluBits = 32;
constexpr int kMinStepBits = 16;
constexpr int kMaxStepBits = 32;
constexpr double kMaxRate = 16;
constexpr double kMinStep = 64;  // units that the step keeps at least: 6 bits

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::kUsage, message); }

std::vector<NetworkStep> products_of(const std::vector<NetworkStep>& steps) {
    std::vector<NetworkStep> out;
    for (const NetworkStep& step : steps) {
        if (step.kind == NetworkStep::Kind::kProduct) out.push_back(step);
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
}

SharedMatrix zeros(const SharedMatrix& like) { return scale(like, 0); }
RingMatrix zeros(const RingMatrix& like) { return scale(like, 0); }

// All values of several matrices in one row, and back.
void copy_values(const RingMatrix& from, size_t from_at, RingMatrix& to, size_t to_at, size_t n) {
    std::copy_n(&from.values[from_at], n, &to.values[to_at]);
}
void copy_values(const SharedMatrix& from, size_t from_at, SharedMatrix& to, size_t to_at,
                 size_t n) {
    std::copy_n(&from.first[from_at], n, &to.first[to_at]);
    std::copy_n(&from.second[from_at], n, &to.second[to_at]);
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

template <typename Matrix>
Matrix reshaped(Matrix x, size_t rows, size_t cols) {
    x.rows = rows;
    x.cols = cols;
    return x;
}

// Named steps of the ledger; the twin has none.
struct NoScope {};
net::TrafficLedger::Scope scope_of(Party& party, const char* name) {
    return net::TrafficLedger::Scope(party.ledger(), name);
}
NoScope scope_of(Twin&, const char*) { return {}; }

// What a step has sent is verified at its end (with Security::kMalicious), which bounds the memory.
void verify(Party& party) { party.verify(); }
void verify(Twin&) {}

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
    for (RingMatrix& w : out.weights) {
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
        weights_.push_back(share_public(context, initial.weights[l]));
        biases_.push_back(share_public(context, initial.biases[l]));
        weight_velocity_.push_back(zeros(weights_.back()));
        bias_velocity_.push_back(zeros(biases_.back()));
    }
    set_learning_rate(options.learning_rate);
}

template <typename World>
void BasicNetwork<World>::set_learning_rate(double learning_rate) {
    if (!(learning_rate > 0 && learning_rate <= kMaxRate)) {
        refuse("the learning rate must be in (0, 16], got " + std::to_string(learning_rate));
    }
    options_.learning_rate = learning_rate;
    step_ = learning_rate / static_cast<double>(options_.batch_size);
    const int most_bits = *std::ranges::max_element(box_bits_);
    const double smallest = std::ldexp(step_, -most_bits);
    step_bits_ = kMinStepBits;
    while (step_bits_ < kMaxStepBits && std::ldexp(smallest, step_bits_) < kMinStep) ++step_bits_;
    if (std::ldexp(smallest, step_bits_) < 0.5) refuse("learning rate / batch size is below 2^-33");
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
        if (step.kind == NetworkStep::Kind::kProduct) {
            out[step.parameters] =
                reshaped(error, error.rows * step.patches.positions(), step.output.channels);
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
void BasicNetwork<World>::update(const Pass& pass, const std::vector<Matrix>& errors) {
    [[maybe_unused]] const auto scope = scope_of(context_, "update");
    const Ring momentum = encode_constant(options_.momentum);
    const size_t layers = weights_.size();
    std::vector<Matrix> turned, kept;
    // A row of ones times the errors sums them up, so biases are one more product.
    std::vector<Matrix> ones;
    for (const NetworkStep& step : steps_) {
        if (step.kind != NetworkStep::Kind::kProduct) continue;
        const size_t l = step.parameters;
        RingMatrix row(1, errors[l].rows);
        std::fill(row.values.begin(), row.values.end(),
                  encode_constant(std::ldexp(1.0, step.box_bits)));
        ones.push_back(share_public(context_, row));
        turned.push_back(transpose(pass.memory[static_cast<size_t>(&step - steps_.data())].input));
        kept.push_back(scale(weight_velocity_[l], momentum));
    }
    for (size_t l = 0; l < layers; ++l) kept.push_back(scale(bias_velocity_[l], momentum));
    std::vector<typename World::ProductOf> products;
    for (size_t l = 0; l < layers; ++l) products.push_back({&turned[l], &errors[l], &kept[l]});
    for (size_t l = 0; l < layers; ++l) {
        products.push_back({&ones[l], &errors[l], &kept[layers + l]});
    }
    std::vector<Matrix> velocity = matmul_fixed(context_, products, kFractionBits);
    for (size_t l = 0; l < layers; ++l) {
        weight_velocity_[l] = std::move(velocity[l]);
        bias_velocity_[l] = std::move(velocity[layers + l]);
    }
    move_weights();
}

template <typename World>
void BasicNetwork<World>::move_weights() {
    size_t total = 0;
    for (size_t l = 0; l < weights_.size(); ++l) total += weights_[l].size() + biases_[l].size();
    Matrix all(1, total);
    size_t at = 0;
    for (size_t l = 0; l < weights_.size(); ++l) {
        const auto step =
            static_cast<Ring>(std::llround(std::ldexp(step_, step_bits_ - box_bits_[l])));
        for (const Matrix* velocity : {&weight_velocity_[l], &bias_velocity_[l]}) {
            copy_values(scale(*velocity, step), 0, all, at, velocity->size());
            at += velocity->size();
        }
    }
    const Matrix moves = truncate(context_, all, step_bits_);
    at = 0;
    for (size_t l = 0; l < weights_.size(); ++l) {
        for (Matrix* w : {&weights_[l], &biases_[l]}) {
            Matrix own(w->rows, w->cols);
            copy_values(moves, at, own, 0, w->size());
            *w = subtract(*w, own);
            at += w->size();
        }
    }
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
    update(pass, errors(pass, labels));
    verify(context_);
}

template <typename World>
auto BasicNetwork<World>::scores(const Matrix& inputs) -> Matrix {
    return forward(inputs).scores;
}

template <typename World>
auto BasicNetwork<World>::state() const -> std::vector<Matrix> {
    std::vector<Matrix> out;
    for (const auto* part : {&weights_, &biases_, &weight_velocity_, &bias_velocity_}) {
        out.insert(out.end(), part->begin(), part->end());
    }
    return out;
}

template <typename World>
void BasicNetwork<World>::restore(std::vector<Matrix> state) {
    const std::vector<Matrix> present = this->state();
    bool fits = state.size() == present.size();
    for (size_t i = 0; fits && i < state.size(); ++i) {
        fits = state[i].rows == present[i].rows && state[i].cols == present[i].cols;
    }
    if (!fits) throw Error(ErrorCode::kInvalid, "the saved state is that of another network");
    auto next = state.begin();
    for (auto* part : {&weights_, &biases_, &weight_velocity_, &bias_velocity_}) {
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
