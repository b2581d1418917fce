// A copy of a model, trained on the answers that the model gave: soft labels.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "ward/attack/extraction.h"
#include "ward/nn/network.h"
#include "ward/train/optimizer.h"

namespace ward::attack {

class Surrogate {
  public:
    Surrogate(const ExtractionOptions& options, uint64_t seed);
    ~Surrogate();
    Surrogate(const Surrogate&) = delete;
    Surrogate& operator=(const Surrogate&) = delete;

    // Adam with a cosine schedule to 0. x {n, ...} in the attacker's space, answers {n, classes}
    // shares.
    void fit(const at::Tensor& x, const at::Tensor& answers);
    // One step of constant rate for each batch of these.
    void fit_once(const at::Tensor& x, const at::Tensor& answers);

    at::Tensor logits(const at::Tensor& x) const;
    const nn::Network& network() const { return network_; }
    at::Tensor prepared(const at::Tensor& x) const { return prepare_ ? prepare_(x) : x; }

  private:
    void step(const at::Tensor& x, const at::Tensor& answers, double learning_rate);

    CopyTraining training_;
    std::function<at::Tensor(const at::Tensor&)> prepare_;
    nn::Network network_;
    train::Optimizer optimizer_;
    std::vector<at::Tensor> values_;
    at::Generator generator_;
};

}  // namespace ward::attack
