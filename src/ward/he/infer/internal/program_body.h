// The two kinds of programs.
#pragma once

#include <memory>

#include "ward/he/infer/program.h"

namespace ward::he {

class Program::Body {
  public:
    virtual ~Body() = default;
    virtual std::vector<Ciphertext> run(std::span<const Ciphertext> inputs,
                                        const EvaluationKeys& keys) const = 0;
};

namespace internal {

std::unique_ptr<const Program::Body> make_single_program(const Network& network, const Plan& plan,
                                                         ContextPtr context);
std::unique_ptr<const Program::Body> make_batch_program(const Network& network, const Plan& plan,
                                                        ContextPtr context);

}  // namespace internal
}  // namespace ward::he
