// The owner of the model: a network with its weights encoded for a plan, ready to run on
// ciphertexts.
//
// Threat: see client.h. What the key's owner gets back are outputs, with bounds that follow from
// the weights; their noise may tell more about the weights than the outputs do, unless
// hide_computation (circuit_privacy.h) covers it. Thread safety: immutable; a run uses
// ward::num_threads() threads.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "ward/he/ckks.h"
#include "ward/he/infer/client.h"

namespace ward::he {

class Program {
  public:
    // Throws Error kInvalid when network, plan and context do not belong together.
    Program(const Network& network, const Plan& plan, ContextPtr context);
    Program(Program&&) noexcept;
    Program& operator=(Program&&) noexcept;
    ~Program();

    // Throws as the operations of CkksEvaluator: for ciphertexts of another shape, missing keys.
    std::vector<Ciphertext> run(std::span<const Ciphertext> inputs,
                                const EvaluationKeys& keys) const;

    class Body;

  private:
    std::unique_ptr<const Body> body_;
    double input_bound_;
};

}  // namespace ward::he
