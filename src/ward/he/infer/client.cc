#include "ward/he/infer/client.h"

#include <string>
#include <utility>

#include "ward/core/error.h"
#include "ward/he/infer/internal/slot_plan.h"

namespace ward::he {

EvaluationKeys make_evaluation_keys(const SecretKey& secret, const std::map<int, int>& rotations,
                                    Random& random) {
    EvaluationKeys keys{RelinKey::generate(secret, random), GaloisKeys(secret.context()),
                        PublicKey::generate(secret, random)};
    // By level, so that a rotation that is used low gets a small key.
    std::map<int, std::vector<int>> by_level;
    for (const auto& [step, level] : rotations) by_level[level].push_back(step);
    for (const auto& [level, steps] : by_level) {
        const GaloisKeys some = GaloisKeys::generate(secret, steps, false, random, level);
        for (const auto& [element, key] : some.all()) keys.galois.insert(element, key);
    }
    return keys;
}

ClientPlan client_plan(const Plan& plan) {
    ClientPlan out;
    out.packing = plan.packing;
    out.parameters = plan.parameters;
    out.input = plan.input;
    out.examples = plan.examples;
    out.inputs = plan.inputs;
    out.outputs = plan.outputs;
    out.ciphertexts_up = plan.ciphertexts_up;
    out.ciphertexts_down = plan.ciphertexts_down;
    out.rotations = plan.rotations;
    if (plan.packing == Packing::kSingle) {
        out.input_period = plan.slots->input.period;
        out.input_slots = plan.slots->input.slot;
        out.output_slots = plan.slots->stages.back().layout.output.slot;
    }
    return out;
}

InferenceClient::InferenceClient(ClientPlan plan, Random& random)
    : plan_(std::move(plan)),
      context_(Context::create(plan_.parameters)),
      secret_(SecretKey::generate(context_, random)),
      encoder_(context_) {}

InferenceClient::InferenceClient(ClientPlan plan, SecretKey secret)
    : plan_(std::move(plan)),
      context_(secret.context()),
      secret_(std::move(secret)),
      encoder_(context_) {
    if (!(context_->parameters() == plan_.parameters)) {
        throw Error(ErrorCode::kInvalid, "the secret key has other parameters than the plan");
    }
}

std::vector<Ciphertext> InferenceClient::encrypt(std::span<const double> examples,
                                                 Random& random) const {
    const auto inputs = static_cast<size_t>(plan_.inputs);
    const size_t count = examples.size() / inputs;
    if (examples.size() != count * inputs || count < 1 ||
        count > static_cast<size_t>(plan_.examples)) {
        throw Error(ErrorCode::kInvalid, "expected 1.." + std::to_string(plan_.examples) +
                                             " examples of " + std::to_string(inputs) +
                                             " inputs, got " + std::to_string(examples.size()) +
                                             " numbers");
    }
    for (double x : examples) {
        if (x >= plan_.input.low && x <= plan_.input.high) continue;
        throw Error(ErrorCode::kInvalid, "an input is outside the plan's range of " +
                                             std::to_string(plan_.input.low) + " to " +
                                             std::to_string(plan_.input.high));
    }
    EncodeOptions options{.bound = plan_.input.magnitude()};
    if (options.bound == 0) options.bound = 1;
    std::vector<Ciphertext> out;
    if (plan_.packing == Packing::kSingle) {
        std::vector<double> placed(static_cast<size_t>(plan_.input_period), 0.0);
        for (size_t u = 0; u < inputs; ++u) placed[plan_.input_slots[u]] = examples[u];
        options.slots = plan_.input_period;
        out.push_back(he::encrypt(secret_, encoder_.encode(placed, options), random));
        return out;
    }
    std::vector<double> column(count);
    for (size_t unit = 0; unit < inputs; ++unit) {
        for (size_t i = 0; i < count; ++i) column[i] = examples[i * inputs + unit];
        out.push_back(he::encrypt(secret_, encoder_.encode(column, options), random));
    }
    return out;
}

std::vector<double> InferenceClient::decrypt(std::span<const Ciphertext> outputs,
                                             int64_t examples) const {
    if (outputs.size() != static_cast<size_t>(plan_.ciphertexts_down) || examples < 1 ||
        examples > plan_.examples) {
        throw Error(ErrorCode::kInvalid, "expected " + std::to_string(plan_.ciphertexts_down) +
                                             " ciphertexts of up to " +
                                             std::to_string(plan_.examples) + " examples, got " +
                                             std::to_string(outputs.size()) + " and " +
                                             std::to_string(examples));
    }
    std::vector<std::vector<double>> slots;
    for (const Ciphertext& c : outputs) {
        if (c.level() == context_->max_level()) {  // every program takes a level or more
            throw Error(ErrorCode::kInvalid, "these are encrypted inputs, not the result",
                        "give what the evaluator sent back");
        }
        slots.push_back(encoder_.decode(decrypt_for_owner(secret_, c)));
    }
    const auto units = static_cast<size_t>(plan_.outputs);
    const bool single = plan_.packing == Packing::kSingle;
    std::vector<double> out(static_cast<size_t>(examples) * units);
    for (size_t i = 0; i < out.size(); ++i) {
        const auto& values = slots[single ? 0 : i % units];
        const size_t slot = single ? static_cast<size_t>(plan_.output_slots[i % units]) : i / units;
        if (slot >= values.size()) {  // the ciphertext says how many it has
            throw Error(ErrorCode::kInvalid, "a result has " + std::to_string(values.size()) +
                                                 " slots, the plan reads number " +
                                                 std::to_string(slot));
        }
        out[i] = values[slot];
    }
    return out;
}

}  // namespace ward::he
