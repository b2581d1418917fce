#include "ward/he/infer/program.h"

#include <algorithm>

#include "ward/core/error.h"
#include "ward/he/infer/internal/program_body.h"
#include "ward/he/internal/evaluate.h"
#include "ward/he/internal/ring.h"

namespace ward::he {

Program::Program(const Network& network, const Plan& plan, ContextPtr context)
    : input_bound_(plan.input.magnitude()) {
    if (plan.stages.size() != network.stages.size() || plan.inputs != network.inputs ||
        plan.outputs != network.outputs) {
        throw Error(ErrorCode::kInvalid, "the plan is for another network");
    }
    if (!(context->parameters() == plan.parameters)) {
        throw Error(ErrorCode::kInvalid, "the context has other parameters than the plan");
    }
    body_ = plan.packing == Packing::kSingle
                ? internal::make_single_program(network, plan, std::move(context))
                : internal::make_batch_program(network, plan, std::move(context));
}

Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;
Program::~Program() = default;

// Bounds in received bytes are claims: circuit privacy covers the error that follows from them, so
// a sender must not claim less than a fresh encryption of the plan's inputs has.
std::vector<Ciphertext> Program::run(std::span<const Ciphertext> inputs,
                                     const EvaluationKeys& keys) const {
    std::vector<Ciphertext> fresh;
    for (const Ciphertext& x : inputs) {
        const double error = x.context()->ring().noise().fresh_symmetric() / x.scale();
        fresh.push_back(internal::with_bounds(x, std::max(x.value_bound(), input_bound_),
                                              std::max(x.error_bound(), error)));
    }
    return body_->run(fresh, keys);
}

}  // namespace ward::he
