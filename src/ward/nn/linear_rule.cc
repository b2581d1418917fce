// Gradient rule of linear maps: weight {d, p} used at T positions, bias {d}.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "ward/nn/internal/bf16_matmul.h"
#include "ward/nn/internal/blas.h"
#include "ward/nn/internal/gradient_rule.h"
#include "ward/nn/internal/product.h"
#include "ward/nn/kernels.h"
#include "ward/nn/torch.h"

namespace ward::nn {
namespace {

RuleNorms ghost_norms_aten(const LinearOperands& operands) {
    const at::Tensor a = operands.input.to(at::kFloat), g = operands.gradient.to(at::kFloat);
    const at::Tensor a_gram = at::bmm(a, a.transpose(1, 2)), g_gram = at::bmm(g, g.transpose(1, 2));
    // In double: a product that overflows to -inf would read as a norm of 0.
    const at::Tensor squared = (a_gram.to(at::kDouble) * g_gram).sum({1, 2});
    const double lost = underflow_of(a.size(2) + g.size(2));
    const auto norms = [lost](const at::Tensor& gram) {
        return (gram.diagonal(0, 1, 2).to(at::kDouble) + lost).sqrt();
    };
    const at::Tensor a_norms = norms(a_gram), g_norms = norms(g_gram);
    const double error = dot_error(a.size(2) + g.size(2) + a.size(1) + 64);
    const at::Tensor slack = (a_norms * g_norms).sum(1).square() * error +
                             (a_norms.sum(1).square() + g_norms.sum(1).square()) * lost;
    return {at::where(at::isfinite(squared), squared.clamp_min(0),
                      at::full_like(squared, std::numeric_limits<double>::infinity())),
            slack};
}

}  // namespace

double rounding_of(const at::Tensor& gradient) {
    return gradient.scalar_type() == at::kBFloat16 ? 0x1p-8 : 0;
}

LinearOperands join_linear_uses(const std::vector<ParameterUse>& uses, int64_t examples) {
    std::vector<at::Tensor> inputs, gradients;
    for (const ParameterUse& use : uses) {
        inputs.push_back(use.input.reshape({examples, -1, use.input.size(-1)}));
        gradients.push_back(use.gradient.reshape({examples, -1, use.gradient.size(-1)}));
    }
    if (uses.size() == 1) return {inputs[0].contiguous(), gradients[0].contiguous()};
    return {at::cat(inputs, 1), at::cat(gradients, 1)};
}

RuleNorms ghost_norms(const LinearOperands& operands) {
    if (!operands.input.device().is_cpu() || !has_per_thread_blas())
        return ghost_norms_aten(operands);
    const at::Tensor a = operands.input.to(at::kFloat), g = operands.gradient.to(at::kFloat);
    const int64_t batch = a.size(0), positions = a.size(1), p = a.size(2), d = g.size(2);
    at::Tensor squared = torch::empty({batch}, at::kDouble),
               slack = torch::empty({batch}, at::kDouble);
    const float *a_data = a.data_ptr<float>(), *g_data = g.data_ptr<float>();
    double *squared_data = squared.data_ptr<double>(), *slack_data = slack.data_ptr<double>();
    const SingleThreadBlas single_thread;
    at::parallel_for(0, batch, 1, [&](int64_t first, int64_t last) {
        std::vector<float> a_gram(positions * positions), g_gram(positions * positions);
        for (int64_t b = first; b < last; ++b) {
            gram(positions, p, {a_data + b * positions * p, p, false}, a_gram.data());
            gram(positions, d, {g_data + b * positions * d, d, false}, g_gram.data());
            const GramNorm norm = norm_from_grams(a_gram.data(), g_gram.data(), positions, p + d);
            squared_data[b] = norm.squared;
            slack_data[b] = norm.slack;
        }
    });
    return {squared, slack};
}

void add_linear_weight_sum(const LinearOperands& operands, const at::Tensor& factors, int weight,
                           std::vector<at::Tensor>& sums) {
    const int64_t p = operands.input.size(2), d = operands.gradient.size(2);
    at::Tensor a = operands.input, g = operands.gradient;
    const at::Tensor f = factors.to(g.device()).view({-1, 1, 1});
    // The narrower operand is scaled: fewer bytes. In bfloat16 it is rounded once more (see
    // rounding_of).
    (d <= p ? g : a) = ((d <= p ? g : a) * f).to(g.scalar_type());
    const at::Tensor rows_g = g.view({-1, d}), rows_a = a.view({-1, p});
    accumulate(sums, weight,
               g.scalar_type() == at::kBFloat16 ? bf16_product_transposed(rows_g, rows_a)
                                                : product(rows_g, true, rows_a, false));
}

namespace {

class LinearRule : public GradientRule {
  public:
    LinearRule(LinearOperands operands, int weight, int bias, const RuleContext& context)
        : operands_(std::move(operands)), weight_(weight), bias_(bias), context_(context) {}

    RuleNorms norms() override {
        const int64_t batch = operands_.input.size(0);
        RuleNorms total{torch::zeros({batch}, at::kDouble), torch::zeros({batch}, at::kDouble)};
        if (weight_ >= 0) {
            const RuleNorms weight =
                positions() == 1 ? outer_product_norms() : several_position_norms();
            total.squared = weight.squared;
            total.slack = weight.slack + bf16_slack(weight.squared);
        }
        if (bias_ >= 0) {
            bias_gradient_ = positions() == 1 ? operands_.gradient.squeeze(1).to(at::kFloat)
                                              : operands_.gradient.sum(1, false, at::kFloat);
            total.squared = total.squared + row_squares(bias_gradient_).to(total.squared.device());
        }
        return total;
    }

    void add_weighted_sum(const at::Tensor& factors, std::vector<at::Tensor>& sums) override {
        if (bias_ >= 0)
            accumulate(sums, bias_,
                       weighted_row_sum(bias_gradient_, factors.to(bias_gradient_.device())));
        if (weight_ < 0) return;
        if (kept_.defined()) {
            accumulate(
                sums, weight_,
                weighted_row_sum(kept_.flatten(1), factors).view({kept_.size(1), kept_.size(2)}));
        } else {
            add_linear_weight_sum(operands_, factors, weight_, sums);
        }
    }

  private:
    int64_t positions() const { return operands_.input.size(1); }

    // ||g a^T||^2 = ||g||^2 ||a||^2.
    RuleNorms outer_product_norms() const {
        const at::Tensor squared =
            row_squares(operands_.input.squeeze(1)) * row_squares(operands_.gradient.squeeze(1));
        return {squared, torch::zeros_like(squared)};
    }

    RuleNorms several_position_norms() {
        const bool own_blas = operands_.input.device().is_cpu() && has_per_thread_blas();
        if (own_blas && operands_.input.scalar_type() == at::kFloat && keeps_gradients())
            return kept_norms();
        return ghost_norms(operands_);
    }

    // Keeping G_b costs a product of T p d and saves the same later; its price is memory traffic.
    // Ghost norms cost T^2 (p + d) / 2 multiplications on top.
    bool keeps_gradients() const {
        if (context_.method != NormMethod::kCheapest) return context_.method == NormMethod::kDirect;
        const int64_t t = positions(), p = operands_.input.size(2), d = operands_.gradient.size(2);
        const int64_t kept_bytes = p * d * 4;
        return 16 * p * d < t * t * (p + d) / 2 && kept_bytes <= *context_.memory_left_bytes;
    }

    RuleNorms kept_norms() {
        const at::Tensor &a = operands_.input, &g = operands_.gradient;
        const int64_t batch = a.size(0), t = a.size(1), p = a.size(2), d = g.size(2);
        *context_.memory_left_bytes -= p * d * 4;
        kept_ = torch::empty({batch, d, p});
        at::Tensor squared = torch::empty({batch}, at::kDouble);
        const float *a_data = a.data_ptr<float>(), *g_data = g.data_ptr<float>();
        float* kept_data = kept_.data_ptr<float>();
        double* squared_data = squared.data_ptr<double>();
        const SingleThreadBlas single_thread;
        at::parallel_for(0, batch, 1, [&](int64_t first, int64_t last) {
            for (int64_t b = first; b < last; ++b) {
                float* out = kept_data + b * d * p;
                multiply(d, p, t, {g_data + b * t * d, d, true}, {a_data + b * t * p, p, false}, 0,
                         out, p);
                squared_data[b] = sum_of_squares(out, d * p);
            }
        });
        return {squared, torch::zeros_like(squared)};
    }

    // The factor times the gradient is rounded to bfloat16 entry by entry: at most u sum_t ||a_t||
    // ||g_t|| away.
    at::Tensor bf16_slack(const at::Tensor& squared) const {
        const double u = kept_.defined() ? 0 : rounding_of(operands_.gradient);
        if (u == 0) return torch::zeros_like(squared);
        const auto norms = [](const at::Tensor& rows) {
            return row_squares(rows.reshape({-1, rows.size(2)}))
                .sqrt()
                .view({rows.size(0), rows.size(1)});
        };
        const at::Tensor radius =
            (norms(operands_.input) * norms(operands_.gradient)).sum(1) * (u * (1 + 1e-5));
        return radius * (2 * squared.sqrt() + radius);
    }

    LinearOperands operands_;
    int weight_, bias_;
    RuleContext context_;
    at::Tensor bias_gradient_;  // {B, d}
    at::Tensor kept_;           // {B, d, p}
};

}  // namespace

std::unique_ptr<GradientRule> make_linear_rule(std::vector<ParameterUse> uses,
                                               const RuleContext& context) {
    return std::make_unique<LinearRule>(join_linear_uses(uses, context.examples),
                                        uses.front().weight, uses.front().bias, context);
}

}  // namespace ward::nn
