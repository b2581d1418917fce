// First-order optimisers over named tensors, with a state that can be stored and restored exactly.
//
// Private and non-private training use the same ones; a private gradient is just a noisier
// gradient. Thread safety: none.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ward::train {

enum class OptimizerKind {
    kSgd,     // with momentum; weight decay added to the gradient
    kAdam,    // Kingma and Ba 2015; weight decay added to the gradient
    kAdamW,   // Loshchilov and Hutter 2019: decoupled weight decay
    kDpAdam,  // Adam whose second moment is freed of the variance of the privacy noise (Tang,
              // Shpilevskiy, Lecuyer, "DP-AdamBC", AAAI 2024, algorithm 1)
};

OptimizerKind parse_optimizer(
    std::string_view name);  // "sgd" | "adam" | "adamw" | "dp-adam"; throws Error kUsage
std::string_view optimizer_name(OptimizerKind kind);

struct OptimizerOptions {
    OptimizerKind kind = OptimizerKind::kSgd;
    double momentum = 0.9;  // kSgd, in [0, 1)
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    double weight_decay = 0;
    double noise_variance = 0;     // kDpAdam: of one coordinate of the averaged private gradient
    double variance_floor = 1e-8;  // kDpAdam: least corrected second moment
};

class Optimizer {
  public:
    // Throws Error kUsage for values out of range.
    explicit Optimizer(const OptimizerOptions& options);

    // values[i] <- values[i] - learning_rate * update(gradients[i]); an undefined gradient leaves
    // its value alone.
    void step(std::vector<at::Tensor>& values, const std::vector<at::Tensor>& gradients,
              double learning_rate);

    // Tensors by name ("momentum.3"), and the number of steps taken.
    std::map<std::string, at::Tensor> state() const;
    int64_t steps_taken() const { return steps_; }
    void restore(const std::map<std::string, at::Tensor>& state, int64_t steps_taken);

  private:
    at::Tensor& slot(const std::string& name, size_t index, const at::Tensor& like);
    void sgd(at::Tensor& value, const at::Tensor& gradient, size_t index, double learning_rate);
    void adam(at::Tensor& value, const at::Tensor& gradient, size_t index, double learning_rate);

    OptimizerOptions options_;
    std::map<std::string, at::Tensor> slots_;
    int64_t steps_ = 0;
};

}  // namespace ward::train
