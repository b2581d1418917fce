// Gradient rule of parameters whose per-example gradients are at hand: scales and shifts of
// normalisations, positions.
#include <utility>

#include "ward/nn/internal/gradient_rule.h"
#include "ward/nn/kernels.h"
#include "ward/nn/torch.h"

namespace ward::nn {
namespace {

class DirectRule : public GradientRule {
  public:
    DirectRule(const std::vector<ParameterUse>& uses, const at::Tensor& parameter,
               const RuleContext& context)
        : index_(uses.front().weight), shape_(parameter.sizes().vec()) {
        for (const ParameterUse& use : uses) {
            at::Tensor gradient =
                use.gradient.to(at::kFloat).reshape({context.examples, context.views, -1});
            gradient = context.views == 1 ? gradient.squeeze(1) : gradient.sum(1);
            gradients_ = gradients_.defined() ? gradients_ + gradient : gradient.contiguous();
        }
    }

    RuleNorms norms() override {
        const at::Tensor squared = row_squares(gradients_);
        return {squared, torch::zeros_like(squared)};
    }

    void add_weighted_sum(const at::Tensor& factors, std::vector<at::Tensor>& sums) override {
        accumulate(sums, index_,
                   weighted_row_sum(gradients_, factors.to(gradients_.device())).view(shape_));
    }

  private:
    int index_;
    std::vector<int64_t> shape_;
    at::Tensor gradients_;  // {B, parameter size}
};

}  // namespace

std::unique_ptr<GradientRule> make_direct_rule(std::vector<ParameterUse> uses,
                                               const at::Tensor& parameter,
                                               const RuleContext& context) {
    return std::make_unique<DirectRule>(uses, parameter, context);
}

}  // namespace ward::nn
