#include "ward/nn/tape.h"

#include <utility>

#include "ward/nn/torch.h"

namespace ward::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// The identity, whose backward pass hands the gradient to the tape.
struct Gate : torch::autograd::Function<Gate> {
    static Variable forward(AutogradContext* context, const Variable& output,
                            const Variable& /*anchor*/, int64_t tape, int64_t use) {
        context->saved_data["tape"] = tape;
        context->saved_data["use"] = use;
        return output;
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        auto* tape = reinterpret_cast<Tape*>(context->saved_data["tape"].toInt());
        tape->uses()[context->saved_data["use"].toInt()].gradient = gradients[0].detach();
        return {gradients[0], Variable(), Variable(), Variable()};
    }
};

}  // namespace

const at::Tensor& Tape::anchor() {
    if (!anchor_.defined()) anchor_ = torch::zeros({1}).set_requires_grad(true);
    return anchor_;
}

at::Tensor Tape::record(ParameterUse use, const at::Tensor& output) {
    if (use.weight < 0 && use.bias < 0) return output;
    use.input = use.input.defined() ? use.input.detach() : use.input;
    uses_.push_back(std::move(use));
    return Gate::apply(output, anchor(), reinterpret_cast<int64_t>(this),
                       static_cast<int64_t>(uses_.size() - 1));
}

void Tape::keep_rows(int64_t rows) {
    for (ParameterUse& use : uses_) {
        if (use.input.defined()) use.input = use.input.narrow(0, 0, rows);
        if (use.gradient.defined()) use.gradient = use.gradient.narrow(0, 0, rows);
    }
}

void Tape::add_direct(int parameter, at::Tensor per_example_gradient) {
    ParameterUse use;
    use.form = ParameterUse::Form::kDirect;
    use.weight = parameter;
    use.gradient = std::move(per_example_gradient);
    uses_.push_back(std::move(use));
}

}  // namespace ward::nn
