#include "ward/he/infer/encrypted_weights.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <string>

#include "ward/core/error.h"
#include "ward/he/encrypt.h"
#include "ward/he/infer/internal/bounds.h"
#include "ward/he/internal/evaluate.h"
#include "ward/he/polynomial.h"

namespace ward::he {
namespace {

int slots_of(const WeightPlan& plan) { return 1 << (plan.parameters.log_degree - 1); }

double share_of(const WeightStage& stage) {
    return stage.has_activation && !stage.activation.is_square() ? 1 / stage.activation.radius
                                                                 : 1.0;
}

// Row or column b of the matrix in block b; `first` is the block that slot 0 begins with.
std::vector<double> pack_matrix(const Stage& stage, const WeightStage& how, int first, int slots) {
    std::vector<double> out(static_cast<size_t>(slots), 0.0);
    const double share = share_of(how);
    for (int row = 0; row < how.rows; ++row) {
        for (int64_t e = stage.matrix.start[row]; e < stage.matrix.start[row + 1]; ++e) {
            const int column = stage.matrix.column[e];
            const int block = (how.by_columns ? column : row) - first;
            const int place = how.by_columns ? row : column;
            if (block < 0 || block >= slots / how.block) continue;
            out[block * how.block + place] = share * stage.matrix.value[e];
        }
    }
    return out;
}

// As the outputs of the stage lie.
std::vector<double> pack_bias(const Stage& stage, const WeightStage& how, int slots) {
    std::vector<double> out(static_cast<size_t>(slots), 0.0);
    const double share = share_of(how);
    for (int slot = 0; slot < slots; ++slot) {
        const int row = how.by_columns ? slot % how.block : slot / how.block;
        if (row < how.rows) out[slot] = share * stage.bias[row];
    }
    return out;
}

// x[b] in all of block b.
std::vector<double> pack_blocks(std::span<const double> x, const WeightStage& how, int first,
                                int slots) {
    std::vector<double> out(static_cast<size_t>(slots), 0.0);
    for (int slot = 0; slot < slots; ++slot) {
        const auto unit = static_cast<size_t>(first + slot / how.block);
        if (unit < x.size()) out[slot] = x[unit];
    }
    return out;
}

void check_input(const WeightPlan& plan, std::span<const double> input) {
    if (input.size() != static_cast<size_t>(plan.inputs())) {
        throw Error(ErrorCode::kInvalid, "expected " + std::to_string(plan.inputs()) +
                                             " inputs, got " + std::to_string(input.size()));
    }
    for (double x : input) {
        if (x >= plan.input.low && x <= plan.input.high) continue;
        throw Error(ErrorCode::kInvalid, "an input is outside the plan's range of " +
                                             std::to_string(plan.input.low) + " to " +
                                             std::to_string(plan.input.high));
    }
}

// The scale of every sum before its activation: weights are encoded so that it stays.
double stage_scale(const CkksEvaluator& evaluator, const WeightPlan& plan, size_t index) {
    double scale = std::exp2(plan.parameters.scale_bits);
    for (size_t i = 0; i < index; ++i) {
        const WeightStage& stage = plan.stages[i];
        if (!stage.has_activation || !stage.activation.is_square()) continue;
        const int level = stage.level - (stage.by_columns ? 1 : 2);
        scale = scale * scale / evaluator.rescale_prime(level);
    }
    return scale;
}

}  // namespace

EvaluationKeys weight_evaluation_keys(const SecretKey& secret, const WeightPlan& plan,
                                      Random& random) {
    return make_evaluation_keys(secret, plan.rotations, random);
}

EncryptedNetwork encrypt_network(const Network& network, const WeightPlan& plan,
                                 const PublicKey& key, Random& random) {
    const CkksEncoder encoder(key.context());
    const CkksEvaluator evaluator(key.context());
    const int slots = slots_of(plan);
    EncryptedNetwork out;
    for (size_t i = 0; i < plan.stages.size(); ++i) {
        const WeightStage& how = plan.stages[i];
        const int per_ciphertext = slots / how.block;
        std::vector<Ciphertext> weights;
        for (int c = 0; c < how.ciphertexts; ++c) {
            const auto packed = pack_matrix(network.stages[i], how, c * per_ciphertext, slots);
            weights.push_back(
                encrypt(key,
                        encoder.encode(packed, {.bound = how.weight_bound,
                                                .scale = evaluator.rescale_prime(how.level),
                                                .level = how.level}),
                        random));
        }
        const auto bias = pack_bias(network.stages[i], how, slots);
        const EncodeOptions at{.bound = how.bias_bound,
                               .scale = stage_scale(evaluator, plan, i),
                               .level = how.level - (how.by_columns ? 1 : 2)};
        out.stages.push_back({std::move(weights), encrypt(key, encoder.encode(bias, at), random)});
    }
    return out;
}

std::vector<Ciphertext> encrypt_input(const WeightPlan& plan, std::span<const double> input,
                                      const PublicKey& key, Random& random) {
    check_input(plan, input);
    const CkksEncoder encoder(key.context());
    const WeightStage& how = plan.stages.front();
    const int slots = slots_of(plan);
    std::vector<Ciphertext> out;
    for (int c = 0; c < how.ciphertexts; ++c) {
        const auto packed = pack_blocks(input, how, c * (slots / how.block), slots);
        const EncodeOptions at{.bound = std::max(plan.input.magnitude(), 0x1p-20)};
        out.push_back(encrypt(key, encoder.encode(packed, at), random));
    }
    return out;
}

EncryptedWeightsProgram::EncryptedWeightsProgram(WeightPlan plan, EncryptedNetwork network,
                                                 EvaluationKeys keys)
    : plan_(std::move(plan)),
      network_(std::move(network)),
      keys_(std::move(keys)),
      context_(keys_.relin.context()),
      encoder_(context_),
      evaluator_(context_) {
    bool fits = network_.stages.size() == plan_.stages.size();
    for (size_t i = 0; fits && i < plan_.stages.size(); ++i) {
        fits =
            network_.stages[i].weights.size() == static_cast<size_t>(plan_.stages[i].ciphertexts);
    }
    if (!fits || !(context_->parameters() == plan_.parameters)) {
        throw Error(ErrorCode::kInvalid, "plan, keys and encrypted network do not belong together");
    }
}

Ciphertext EncryptedWeightsProgram::run(std::span<const double> input) const {
    check_input(plan_, input);
    const WeightStage& how = plan_.stages.front();
    const int slots = slots_of(plan_);
    const auto& weights = network_.stages.front().weights;
    std::optional<Ciphertext> sum;
    for (int c = 0; c < how.ciphertexts; ++c) {
        const auto packed = pack_blocks(input, how, c * (slots / how.block), slots);
        const Plaintext x = encoder_.encode(
            packed, {.bound = std::max(plan_.input.magnitude(), 0x1p-20), .level = how.level});
        const Ciphertext product = evaluator_.multiply(weights[c], x);
        sum = sum ? evaluator_.add(*sum, product) : product;
    }
    return run_rest(finish_stage(0, *sum));
}

Ciphertext EncryptedWeightsProgram::run(std::span<const Ciphertext> input) const {
    const auto& weights = network_.stages.front().weights;
    if (input.size() != weights.size()) {
        throw Error(ErrorCode::kInvalid, "expected " + std::to_string(weights.size()) +
                                             " ciphertexts of the input, got " +
                                             std::to_string(input.size()));
    }
    std::optional<Ciphertext> sum;
    for (size_t c = 0; c < weights.size(); ++c) {
        const Ciphertext product = evaluator_.multiply(weights[c], input[c]);
        sum = sum ? evaluator_.add(*sum, product) : product;
    }
    return run_rest(finish_stage(0, *sum));
}

Ciphertext EncryptedWeightsProgram::run_rest(Ciphertext x) const {
    for (size_t i = 1; i < plan_.stages.size(); ++i) {
        x = finish_stage(i, evaluator_.multiply(network_.stages[i].weights[0], x));
    }
    return x;
}

// From products of weights and operands to the operand of the next stage.
Ciphertext EncryptedWeightsProgram::finish_stage(size_t index, Ciphertext product) const {
    const WeightStage& how = plan_.stages[index];
    const int slots = slots_of(plan_);
    Ciphertext x = evaluator_.rescale(evaluator_.relinearise(product, keys_.relin));
    const auto fold = [&](int step) {
        x = internal::with_value_bound(x, how.sum_bound);
        x = evaluator_.add(x, evaluator_.rotate(x, step, keys_.galois));
    };
    if (how.by_columns) {
        for (int step = how.block; step < slots; step *= 2) fold(step);
    } else {
        for (int step = 1; step < how.block; step *= 2) fold(step);
        std::vector<double> mask(static_cast<size_t>(slots), 0.0);
        for (int row = 0; row < how.rows; ++row) mask[row * how.block] = 1;
        const double prime = evaluator_.rescale_prime(x.level());
        x = evaluator_.rescale(
            evaluator_.multiply(x, encoder_.encode(mask, {.scale = prime, .level = x.level()})));
        for (int step = 1; step < how.block; step *= 2) fold(slots - step);
    }
    x = internal::with_value_bound(evaluator_.add(x, network_.stages[index].bias),
                                   how.value_bound * share_of(how));
    if (!how.has_activation) return x;
    if (how.activation.is_square()) {
        return evaluator_.rescale(evaluator_.multiply(x, x, keys_.relin));
    }
    return evaluate_chebyshev(evaluator_, x, how.activation.chebyshev, keys_.relin,
                              how.activation.slope);
}

int WeightPlan::output_stride() const { return stages.back().by_columns ? 1 : stages.back().block; }

std::vector<double> outputs_of(const WeightPlan& plan, std::span<const double> slots) {
    std::vector<double> out;
    if (slots.size() <= static_cast<size_t>((plan.outputs() - 1) * plan.output_stride())) {
        throw Error(ErrorCode::kInvalid, "a result of " + std::to_string(slots.size()) +
                                             " slots is too short for the plan");
    }
    for (int i = 0; i < plan.outputs(); ++i) out.push_back(slots[i * plan.output_stride()]);
    return out;
}

}  // namespace ward::he
