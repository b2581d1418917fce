// The owner of the data: makes the keys that a plan asks for, encrypts inputs, decrypts outputs.
//
// Threat: the evaluator is semi-honest: it computes what it should and tries to learn from what it
// sees, which is ciphertexts, evaluation keys and the plan (IND-CPA under RLWE). Results are
// decrypted for their owner; one who passes them on uses decrypt_for_release (encrypt.h) instead.
// Not given: proof that the evaluator computed the right thing.
//
// Thread safety: the generator is the caller's; everything else is immutable.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "ward/he/ckks.h"
#include "ward/he/encrypt.h"
#include "ward/he/infer/plan.h"
#include "ward/he/keys.h"

namespace ward::he {

// What the evaluator needs; public.
struct EvaluationKeys {
    RelinKey relin;
    GaloisKeys galois;
    PublicKey public_key;  // for circuit privacy (circuit_privacy.h)
};

// Rotations by steps, each for ciphertexts up to its level.
EvaluationKeys make_evaluation_keys(const SecretKey& secret, const std::map<int, int>& rotations,
                                    Random& random);

// The part of a plan that the owner of the data needs, and may be sent (files.h).
struct ClientPlan {
    Packing packing = Packing::kSingle;
    Parameters parameters;
    Interval input;
    int64_t examples = 1;  // at once
    int64_t inputs = 0, outputs = 0;
    int64_t ciphertexts_up = 1, ciphertexts_down = 1;
    std::map<int, int> rotations;
    // Single packing: the slots of inputs, repeated with the period, and of outputs.
    int input_period = 0;
    std::vector<int> input_slots, output_slots;
    std::string preprocessing_json;        // how raw data become inputs; carried, not read
    std::vector<std::string> class_names;  // of the outputs, for people; empty or one each

    bool operator==(const ClientPlan&) const = default;
};

ClientPlan client_plan(const Plan& plan);

class InferenceClient {
  public:
    // With a fresh secret key. Throws as Context::create.
    InferenceClient(ClientPlan plan, Random& random);
    // With one made before. Throws Error kInvalid when it has other parameters.
    InferenceClient(ClientPlan plan, SecretKey secret);

    const ContextPtr& context() const { return context_; }
    const ClientPlan& plan() const { return plan_; }
    const SecretKey& secret() const { return secret_; }
    // What the evaluator needs.
    EvaluationKeys evaluation_keys(Random& random) const {
        return make_evaluation_keys(secret_, plan_.rotations, random);
    }

    // Up to plan().examples examples, one after the other. Throws Error kInvalid for another number
    // of inputs or a value outside the plan's range.
    std::vector<Ciphertext> encrypt(std::span<const double> examples, Random& random) const;

    // Outputs of the first `examples` examples, one after the other. Throws Error kCorrupt when the
    // result cannot be what its bounds say.
    std::vector<double> decrypt(std::span<const Ciphertext> outputs, int64_t examples) const;

  private:
    ClientPlan plan_;
    ContextPtr context_;
    SecretKey secret_;
    CkksEncoder encoder_;
};

}  // namespace ward::he
