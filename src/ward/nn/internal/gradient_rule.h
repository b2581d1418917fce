// One gradient rule per canonical form of a parameter use (see tape.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "ward/nn/private_gradients.h"
#include "ward/nn/tape.h"

namespace ward::nn {

// Squared norms {examples} and what the true squared norms may exceed them by, both double.
struct RuleNorms {
    at::Tensor squared;
    at::Tensor slack;
};

class GradientRule {
  public:
    virtual ~GradientRule() = default;
    virtual RuleNorms norms() = 0;
    // factors: {examples}, float32. Adds to sums as PrivateGradients::add_weighted_sum.
    virtual void add_weighted_sum(const at::Tensor& factors, std::vector<at::Tensor>& sums) = 0;
};

// What a rule may know about its surroundings.
struct RuleContext {
    int64_t examples = 0;
    int64_t views = 1;
    NormMethod method = NormMethod::kCheapest;
    // Bytes of one example's gradients that may still be kept. Of one: what is done with an example
    // must not depend on how many others there are.
    int64_t* memory_left_bytes = nullptr;
};

// `uses` are all linear uses of one weight (several for tied weights and recurrent steps).
std::unique_ptr<GradientRule> make_linear_rule(std::vector<ParameterUse> uses,
                                               const RuleContext& context);
std::unique_ptr<GradientRule> make_conv_rule(ParameterUse use, const at::Tensor& weight,
                                             const RuleContext& context);
std::unique_ptr<GradientRule> make_direct_rule(std::vector<ParameterUse> uses,
                                               const at::Tensor& parameter,
                                               const RuleContext& context);
// Embedding uses of one weight, and linear uses tied to it.
std::unique_ptr<GradientRule> make_embedding_rule(std::vector<ParameterUse> embeddings,
                                                  std::vector<ParameterUse> linears,
                                                  const at::Tensor& weight,
                                                  const RuleContext& context);

// sums[index] += value, an undefined sum being zero.
void accumulate(std::vector<at::Tensor>& sums, int index, const at::Tensor& value);

// Input {B, T, p} and gradient {B, T, d} of one or several linear uses, positions and views joined,
// contiguous.
struct LinearOperands {
    at::Tensor input, gradient;
};
LinearOperands join_linear_uses(const std::vector<ParameterUse>& uses, int64_t examples);

// Relative error of a dot product of `terms` float32 terms, against the sum of absolute terms and
// whatever the order of the additions (Higham, Accuracy and Stability of Numerical Algorithms,
// section 3.1).
double dot_error(int64_t terms);

// What a float32 sum of `terms` products may lose, in absolute terms, because products fall below
// the smallest subnormal number; with room for the squares of such losses.
double underflow_of(int64_t terms);

// sum_ts A_ts G_ts from the upper triangles of two Gram matrices {n, n} whose entries are sums of
// `terms` products in all, and a bound on what the exact value may exceed it by: dot_error times
// (sum_t ||a_t|| ||g_t||)^2, and what underflows. Infinite when an entry is not finite.
struct GramNorm {
    double squared, slack;
};
GramNorm norm_from_grams(const float* a, const float* g, int64_t n, int64_t terms);

// Ghost norms of {B, T, p} and {B, T, d}.
RuleNorms ghost_norms(const LinearOperands& operands);

// sums[weight] += sum_b f_b sum_t g_bt a_bt^T.
void add_linear_weight_sum(const LinearOperands& operands, const at::Tensor& factors, int weight,
                           std::vector<at::Tensor>& sums);

// Relative excess of ||c g|| over c ||g|| when c g is rounded to the type of g.
double rounding_of(const at::Tensor& gradient);

}  // namespace ward::nn
