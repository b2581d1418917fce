// What an attack may see of a model: its labels, its scores, or its gradients. Every pass counts.
//
// A target is a function from inputs in the attacker's space (for images: pixels in [0, 1]) to
// logits. What stands before the model, such as standardisation, belongs into that function, so
// that norms and boxes are those of the space the attacker works in.
//
// Threat: the access level is enforced. An attack that asks for more than `access` allows gets an
// Error, so a black-box result cannot come from a gradient.
//
// Thread safety: none; one target per thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>

#include "ward/nn/network.h"
#include "ward/nn/script_module.h"

namespace ward::attack {

enum class Access { kLabels, kScores, kWhiteBox };

// Examples passed through the model, summed over all calls.
struct PassCounts {
    int64_t forward = 0;
    int64_t backward = 0;
};

class Target {
  public:
    // x {n, ...} float32 -> logits {n, classes} float32; for Access::kWhiteBox differentiable by
    // autograd. The referenced model must outlive the target.
    using Function = std::function<at::Tensor(const at::Tensor&)>;
    explicit Target(Function function, Access access = Access::kWhiteBox,
                    std::string device = "cpu");
    explicit Target(const nn::Network& network, Access access = Access::kWhiteBox);
    explicit Target(const nn::ScriptModule& module, Access access = Access::kWhiteBox,
                    std::string device = "cpu");

    Access access() const { return access_; }
    const PassCounts& counts() const { return counts_; }
    void reset_counts() { counts_ = {}; }

    // Examples in one call of the function; larger batches are cut. More than a few hundred gain
    // nothing on a CPU.
    void set_rows_at_once(int64_t rows);
    int64_t rows_at_once() const { return rows_at_once_; }

    // One forward pass per example. x on the CPU, and so are results. Throws Error kRefused when
    // the access level forbids it, kInvalid for outputs that are not finite or not one row per
    // example.
    at::Tensor logits(const at::Tensor& x);
    at::Tensor labels(const at::Tensor& x);  // {n} int64, the first of equals

    // Derivative of a scalar loss by the logits of rows first, first + 1, ... of x.
    using Cotangent = std::function<at::Tensor(const at::Tensor& logits, int64_t first)>;
    struct Pass {
        at::Tensor logits;    // {n, classes}
        at::Tensor gradient;  // as x
    };
    // One forward and one backward pass per example.
    Pass gradient(const at::Tensor& x, const Cotangent& cotangent);

    // The derivatives of k chosen logits per example: `choose` maps logits {rows, classes} to
    // int64 {rows, k}. One forward and k backward passes per example.
    struct Jacobian {
        at::Tensor logits;     // {n, classes}
        at::Tensor classes;    // {n, k}
        at::Tensor gradients;  // {n, k, ...}
    };
    using Choice = std::function<at::Tensor(const at::Tensor& logits)>;
    Jacobian jacobian(const at::Tensor& x, const Choice& choose);

  private:
    at::Tensor call(const at::Tensor& x) const;
    void require(Access access, const char* what) const;
    int64_t piece(const at::Tensor& x) const;

    Function function_;
    Access access_;
    std::string device_;
    PassCounts counts_;
    int64_t rows_at_once_ = 200;
};

}  // namespace ward::attack
