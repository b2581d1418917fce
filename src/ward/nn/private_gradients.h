// Per-example gradient norms and clipped sums from one forward and one backward pass
// (book-keeping).
//
// For a linear map used at T positions the gradient of example b is G_b = sum_t g_bt a_bt^T. Its
// norm comes either from G_b itself ("direct") or from the two Gram matrices, ||G_b||^2 = sum_ts
// <a_t,a_s><g_t,g_s> ("ghost norm": Goodfellow 2015, arXiv:1510.01799; Li, Tramer, Liang,
// Hashimoto, ICLR 2022, section 4; mixed choice: Bu, Mao, Xu, NeurIPS 2022), whichever is cheaper
// for the shape. The weighted sum over examples is then one ordinary weight-gradient product with
// scaled inputs, or a weighted sum of the G_b where they were kept.
//
// What holds in the arithmetic really used: `squared_norm_bounds` is at least the squared norm of
// the vector that the example contributes to the weighted sum, all roundings of norms, Gram
// matrices and bfloat16 factors included. The rounding of the sum itself is treated in
// docs/decisions/0002-arithmetic-sensitivity.md.
//
// Thread safety: none.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ward::nn {

class Network;
class Tape;
class GradientRule;

// Convolutions with at most this many weights always keep their per-example gradients, which are
// then added in double precision. Larger layers are added in float32 by matrix products.
inline constexpr int64_t kAlwaysKeptWeights = 65536;

// For tests and benchmarks: forces one way of computing norms where a rule has several.
enum class NormMethod { kCheapest, kGhost, kDirect };

struct PrivateGradientOptions {
    int64_t views =
        1;  // rows of the batch per example (augmentation multiplicity); their gradients are summed
    NormMethod method = NormMethod::kCheapest;
};

class PrivateGradients {
  public:
    // After the backward pass of the SUM of the examples' losses. Takes over the tape's tensors.
    // Throws Error kInternal when a recorded use has no gradient.
    PrivateGradients(const Network& network, Tape tape, const PrivateGradientOptions& options);
    ~PrivateGradients();

    int64_t examples() const { return examples_; }

    // The layers with trainable parameters, by path, in the order of the rows below.
    const std::vector<std::string>& layers() const { return layer_names_; }

    // {layers, examples}, double.
    const at::Tensor& squared_norms() const { return squared_; }
    const at::Tensor& squared_norm_bounds() const { return bounds_; }

    // Adds sum_b factors[layer(i)][b] * gradient_b(parameter i) to sums[i] for every trainable
    // parameter i. An undefined sums[i] counts as zero. factors: {layers, examples}, float32.
    void add_weighted_sum(const at::Tensor& factors, std::vector<at::Tensor>& sums);

  private:
    int64_t examples_ = 0;
    std::vector<std::string> layer_names_;
    std::vector<std::unique_ptr<GradientRule>> rules_;
    std::vector<int64_t> layer_of_rule_;
    at::Tensor squared_, bounds_;
};

}  // namespace ward::nn
