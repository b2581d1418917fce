#include "ward/he/infer/program.h"

#include "ward/core/error.h"
#include "ward/he/infer/internal/program_body.h"

namespace ward::he {

Program::Program(const Network& network, const Plan& plan, ContextPtr context) {
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

std::vector<Ciphertext> Program::run(std::span<const Ciphertext> inputs,
                                     const EvaluationKeys& keys) const {
    return body_->run(inputs, keys);
}

}  // namespace ward::he
