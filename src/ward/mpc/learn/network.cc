#include "ward/mpc/learn/network.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/mpc/fixed_point.h"
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

void check(const NetworkShape& shape, const NetworkWeights& initial, const TrainOptions& options) {
    const size_t layers = shape.widths.size() - 1;
    if (shape.widths.size() < 2 || *std::ranges::min_element(shape.widths) == 0) {
        refuse("a network needs at least two widths, all > 0");
    }
    if (initial.weights.size() != layers || initial.biases.size() != layers) {
        refuse("initial weights of " + std::to_string(initial.weights.size()) +
               " layers, expected " + std::to_string(layers));
    }
    for (size_t l = 0; l < layers; ++l) {
        const RingMatrix& w = initial.weights[l];
        if (w.rows == shape.widths[l] && w.cols == shape.widths[l + 1] &&
            initial.biases[l].size() == w.cols) {
            continue;
        }
        refuse("weights of layer " + std::to_string(l) + " are " + std::to_string(w.rows) + " x " +
               std::to_string(w.cols) + ", expected " + std::to_string(shape.widths[l]) + " x " +
               std::to_string(shape.widths[l + 1]));
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

NetworkWeights initial_weights(const NetworkShape& shape, Random& random) {
    NetworkWeights out;
    for (size_t l = 0; l + 1 < shape.widths.size(); ++l) {
        const double bound = std::sqrt(6.0 / static_cast<double>(shape.widths[l]));
        RingMatrix& w = out.weights.emplace_back(shape.widths[l], shape.widths[l + 1]);
        for (Ring& value : w.values) {
            value = encode_constant((2 * random.uniform01() - 1) * bound);
        }
        RingMatrix& b = out.biases.emplace_back(1, shape.widths[l + 1]);
        std::fill(b.values.begin(), b.values.end(), Ring{0});
    }
    return out;
}

std::vector<double> plain_scores(const NetworkWeights& network, std::span<const double> inputs,
                                 size_t rows) {
    std::vector<double> x(inputs.begin(), inputs.end());
    for (size_t l = 0; l < network.weights.size(); ++l) {
        const RingMatrix& w = network.weights[l];
        std::vector<double> weights = decode(w);
        std::vector<double> y(rows * w.cols);
        for (size_t r = 0; r < rows; ++r) {
            double* row = &y[r * w.cols];
            for (size_t c = 0; c < w.cols; ++c) row[c] = decode(network.biases[l].values[c]);
            for (size_t k = 0; k < w.rows; ++k) {
                const double factor = x[r * w.rows + k];
                for (size_t c = 0; c < w.cols; ++c) row[c] += factor * weights[k * w.cols + c];
            }
        }
        if (l + 1 < network.weights.size()) {
            for (double& value : y) value = std::max(value, 0.0);
        }
        x = std::move(y);
    }
    return x;
}

template <typename World>
BasicNetwork<World>::BasicNetwork(Context& context, const NetworkShape& shape,
                                  const NetworkWeights& initial, const TrainOptions& options)
    : context_(context), shape_(shape), options_(options) {
    check(shape, initial, options);
    for (size_t l = 0; l < initial.weights.size(); ++l) {
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
    const double step = learning_rate / static_cast<double>(options_.batch_size);
    step_bits_ = kMinStepBits;
    while (step_bits_ < kMaxStepBits && std::ldexp(step, step_bits_) < kMinStep) ++step_bits_;
    step_ = static_cast<Ring>(std::llround(std::ldexp(step, step_bits_)));
    if (step_ == 0) refuse("learning rate / batch size is below 2^-33");
}

template <typename World>
auto BasicNetwork<World>::forward(const Matrix& inputs) -> Pass {
    [[maybe_unused]] const auto scope = scope_of(context_, "forward");
    if (inputs.cols != shape_.widths[0]) {
        refuse("inputs have " + std::to_string(inputs.cols) + " columns, expected " +
               std::to_string(shape_.widths[0]));
    }
    Pass pass;
    pass.inputs.push_back(inputs);
    for (size_t l = 0; l < weights_.size(); ++l) {
        const typename World::ProductOf product[] = {{&pass.inputs.back(), &weights_[l]}};
        Matrix z =
            add_row(std::move(matmul_fixed(context_, product, kFractionBits)[0]), biases_[l]);
        if (l + 1 == weights_.size()) {
            pass.scores = std::move(z);
            break;
        }
        typename World::Relu result = relu(context_, z, kReluBits);
        pass.inputs.push_back(std::move(result.value));
        pass.active.push_back(std::move(result.active));
    }
    return pass;
}

// The derivative of the loss by the values before each activation, last layer last.
template <typename World>
auto BasicNetwork<World>::errors(const Pass& pass, const Matrix& labels) -> std::vector<Matrix> {
    [[maybe_unused]] const auto scope = scope_of(context_, "backward");
    std::vector<Matrix> out(weights_.size());
    const bool logistic = shape_.widths.back() == 1;
    out.back() = subtract(
        logistic ? sigmoid(context_, pass.scores) : softmax(context_, pass.scores), labels);
    for (size_t l = weights_.size() - 1; l > 0; --l) {
        const Matrix turned = transpose(weights_[l]);
        const typename World::ProductOf product[] = {{&out[l], &turned}};
        out[l - 1] =
            select(context_, pass.active[l - 1], matmul_fixed(context_, product, kFractionBits)[0]);
    }
    return out;
}

template <typename World>
void BasicNetwork<World>::update(const Pass& pass, const std::vector<Matrix>& errors) {
    [[maybe_unused]] const auto scope = scope_of(context_, "update");
    const Ring momentum = encode_constant(options_.momentum);
    const size_t layers = weights_.size();
    std::vector<Matrix> turned, kept;
    // A row of ones times the errors sums them up, so biases are one more product.
    RingMatrix ones(1, options_.batch_size);
    std::fill(ones.values.begin(), ones.values.end(), encode_constant(1));
    const Matrix row = share_public(context_, ones);
    for (size_t l = 0; l < layers; ++l) {
        turned.push_back(transpose(pass.inputs[l]));
        kept.push_back(scale(weight_velocity_[l], momentum));
    }
    for (size_t l = 0; l < layers; ++l) kept.push_back(scale(bias_velocity_[l], momentum));
    std::vector<typename World::ProductOf> products;
    for (size_t l = 0; l < layers; ++l) products.push_back({&turned[l], &errors[l], &kept[l]});
    for (size_t l = 0; l < layers; ++l) products.push_back({&row, &errors[l], &kept[layers + l]});
    std::vector<Matrix> velocity = matmul_fixed(context_, products, kFractionBits);
    for (size_t l = 0; l < layers; ++l) {
        weight_velocity_[l] = std::move(velocity[l]);
        bias_velocity_[l] = std::move(velocity[layers + l]);
    }
    move_weights();
}

template <typename World>
void BasicNetwork<World>::move_weights() {
    std::vector<Matrix*> targets, velocities;
    size_t total = 0;
    for (size_t l = 0; l < weights_.size(); ++l) {
        targets.insert(targets.end(), {&weights_[l], &biases_[l]});
        velocities.insert(velocities.end(), {&weight_velocity_[l], &bias_velocity_[l]});
        total += weights_[l].size() + biases_[l].size();
    }
    Matrix all(1, total);
    size_t at = 0;
    for (const Matrix* v : velocities) {
        copy_values(*v, 0, all, at, v->size());
        at += v->size();
    }
    const Matrix steps = truncate(context_, scale(all, step_), step_bits_);
    at = 0;
    for (Matrix* w : targets) {
        Matrix own(w->rows, w->cols);
        copy_values(steps, at, own, 0, w->size());
        *w = subtract(*w, own);
        at += w->size();
    }
}

template <typename World>
void BasicNetwork<World>::train_step(const Matrix& inputs, const Matrix& labels) {
    [[maybe_unused]] const auto scope = scope_of(context_, "train");
    if (inputs.rows != options_.batch_size || labels.rows != options_.batch_size ||
        labels.cols != shape_.widths.back()) {
        refuse("a step needs " + std::to_string(options_.batch_size) + " rows and labels of " +
               std::to_string(shape_.widths.back()) + " columns, got " +
               std::to_string(inputs.rows) + " rows and labels of " + std::to_string(labels.rows) +
               " x " + std::to_string(labels.cols));
    }
    const Pass pass = forward(inputs);
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
    NetworkWeights out;
    for (const SharedMatrix& w : weights()) out.weights.push_back(open(party, w));
    for (const SharedMatrix& b : biases()) out.biases.push_back(open(party, b));
    return out;
}

template class BasicNetwork<OnShares>;
template class BasicNetwork<InTheClear>;

}  // namespace ward::mpc
