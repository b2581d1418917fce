// What one forward and one backward pass leave behind about every use of a trainable parameter: the
// activations that went in and the gradient of the summed loss at the output ("book-keeping": Bu,
// Wang, Zha, Karypis, "Differentially Private Optimization on Large Model at Small Cost", ICML
// 2023, section 3).
//
// A use is written in one of a few canonical forms, each of which has a gradient rule in
// private_gradients.cc. With B examples and T positions (time steps, pixels, or augmented views of
// the same example times positions):
//
//   kLinear      input {B, T, p}, gradient {B, T, d}: weight += sum_t g_t a_t^T, bias += sum_t g_t
//   kConv        input image {B, C, H, W} (1-d: H = 1), gradient {B, D, H', W'}
//   kDirect      gradient already is the per-example parameter gradient {B, parameter size}
//   kEmbedding   input tokens {B, T}, gradient {B, T, d}: row token_t += g_t
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace ward::nn {

struct ConvGeometry {
    int64_t kernel_height = 1, kernel_width = 1, stride_height = 1, stride_width = 1;
    int64_t padding_height = 0, padding_width = 0, groups = 1;
};

struct ParameterUse {
    enum class Form { kLinear, kConv, kDirect, kEmbedding };
    Form form = Form::kDirect;
    int weight = -1;  // index in Network::parameters(), -1 when absent or frozen
    int bias = -1;
    at::Tensor input;     // kept from the forward pass
    at::Tensor gradient;  // filled by the backward pass
    ConvGeometry geometry;
};

// Filled by Network::forward and the backward pass of its output. One tape per pass; not
// thread-safe.
class Tape {
  public:
    // Passes `output` through unchanged and stores its gradient in the use when the backward pass
    // comes by.
    at::Tensor record(ParameterUse use, const at::Tensor& output);

    // For layers that compute their per-example parameter gradients themselves during the backward
    // pass.
    void add_direct(int parameter, at::Tensor per_example_gradient);

    // The leaf that makes outputs of the first layer differentiable without a gradient for the
    // input.
    const at::Tensor& anchor();

    // After the backward pass: forgets all but the first `rows` rows of the batch.
    void keep_rows(int64_t rows);

    std::vector<ParameterUse>& uses() { return uses_; }
    const std::vector<ParameterUse>& uses() const { return uses_; }

  private:
    std::vector<ParameterUse> uses_;
    at::Tensor anchor_;
};

}  // namespace ward::nn
