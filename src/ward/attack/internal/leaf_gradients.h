// Gradients by a network's parameters, as something that can itself be differentiated by the
// inputs: what attacks that match gradients need.
//
// Thread safety: none.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "ward/nn/network.h"

namespace ward::attack {

// LibTorch's own products for as long as this lives: only those can be differentiated twice.
class TwiceDifferentiable {
  public:
    TwiceDifferentiable();
    ~TwiceDifferentiable();
    TwiceDifferentiable(const TwiceDifferentiable&) = delete;
    TwiceDifferentiable& operator=(const TwiceDifferentiable&) = delete;

  private:
    bool own_kernels_;
};

// Trainable parameters as leaves of a graph, and back.
class Leaves {
  public:
    explicit Leaves(const nn::Network& network);
    ~Leaves();
    Leaves(const Leaves&) = delete;
    Leaves& operator=(const Leaves&) = delete;

    const std::vector<at::Tensor>& values() const { return values_; }

  private:
    std::vector<at::Tensor> values_;
};

// Of the mean cross-entropy on x {n, ...} with soft labels {n, classes}, per leaf; with a graph
// behind it when it is to be differentiated again.
std::vector<at::Tensor> leaf_gradient(const nn::Network& network, const Leaves& leaves,
                                      const at::Tensor& x, const at::Tensor& soft_labels,
                                      bool twice);

at::Tensor squared_distance(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b);

// 1 - cosine of the angle between the two as long vectors, in [0, 2].
at::Tensor cosine_distance(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b);

// {n, classes} float32 from {n} int64.
at::Tensor one_hot_rows(const at::Tensor& labels, int64_t classes);

// Adam (Kingma and Ba 2015) on the sign of the slope, as Geiping et al. 2020 and 2021 do it, with a
// step that falls to a tenth after 3/8, 5/8 and 7/8 of the steps. The caller projects.
class SignedAdam {
  public:
    SignedAdam(double step_size, int64_t steps) : step_size_(step_size), steps_(steps) {}
    // What is to be taken away from the variable.
    at::Tensor move(const at::Tensor& slope);

  private:
    double step_size_;
    int64_t steps_, taken_ = 0;
    at::Tensor first_, second_;
};

}  // namespace ward::attack
