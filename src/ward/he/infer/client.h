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
};

// Rotations by steps, each for ciphertexts up to its level.
EvaluationKeys make_evaluation_keys(const SecretKey& secret, const std::map<int, int>& rotations,
                                    Random& random);

class InferenceClient {
  public:
    // A fresh secret key. Throws as Context::create.
    InferenceClient(Plan plan, Random& random);

    const ContextPtr& context() const { return context_; }
    const Plan& plan() const { return plan_; }
    const SecretKey& secret() const { return secret_; }
    const EvaluationKeys& evaluation_keys() const { return keys_; }

    // Up to plan().examples examples, one after the other. Throws Error kInvalid for another number
    // of inputs or a value outside the plan's range.
    std::vector<Ciphertext> encrypt(std::span<const double> examples, Random& random) const;

    // Outputs of the first `examples` examples, one after the other. Throws Error kCorrupt when the
    // result cannot be what its bounds say.
    std::vector<double> decrypt(std::span<const Ciphertext> outputs, int64_t examples) const;

  private:
    Plan plan_;
    ContextPtr context_;
    SecretKey secret_;
    EvaluationKeys keys_;
    CkksEncoder encoder_;
};

}  // namespace ward::he
