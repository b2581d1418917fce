// Gradient leakage: an example from the gradient that it gives, as a server of federated learning
// sees it.
//
// - dlg: match the gradient by L-BFGS, squared distance; the label too. Zhu, Liu, Han 2019
// - idlg: the same with the label read off the gradient. Zhao, Mopuri, Bilen 2020
// - inverting-gradients: cosine distance and total variation, signed Adam, inside the box. Geiping,
//   Bauermeister, Droege, Moeller 2020, section 4
// - analytic: exact; the first layer is linear with a bias, so weight gradient over bias gradient
//   is the input. Phong et al. 2018; Geiping et al., proposition 3.1
//
// Of a batch of examples with labels that differ all labels are read off (Yin et al. 2021, section
// 3.1) and all examples are sought together (Geiping et al. 2020, section 6), by all but
// `analytic`.
//
// Threat: whoever sees the network and the mean gradient of an example or a batch: a server, or an
// auditor of it. The larger the batch, the more its examples blur each other. DP-SGD noise is what
// ends this: `privatised` shows it.
//
// Thread safety: none. While it works, linear layers multiply as LibTorch does (nn/runtime.h), for
// only that can be differentiated twice.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ward/core/random.h"
#include "ward/model/spec.h"
#include "ward/nn/network.h"

namespace ward::attack {

struct LeakOptions {
    std::string attack = "inverting-gradients";
    int64_t steps = 0;              // 0: its own: 300 of L-BFGS, 12000 of Adam
    double step_size = 0.1;         // inverting-gradients
    double total_variation = 5e-3;  // its weight
    double lower = 0, upper = 1;    // the box of valid inputs
    int64_t restarts = 1;           // the best match counts
    uint64_t seed = 0;
};

std::vector<std::string> gradient_inversion_names();

struct LeakedExample {
    at::Tensor x;  // as one input of the network, without a batch dimension
    int64_t label = 0;
    double distance = 0;  // between the gradients: squared, or 1 - cosine
    double seconds = 0;
};

// The gradient that one labelled example gives, per parameter (undefined for frozen ones).
std::vector<at::Tensor> example_gradient(const nn::Network& network, const at::Tensor& x,
                                         int64_t label);

// The class whose output bias gets a negative gradient: exact for cross-entropy and one example.
// Throws Error kUnsupported where the network does not end in a linear layer with a bias.
int64_t label_of_gradient(const nn::Network& network, const std::vector<at::Tensor>& gradient);

// The same for the mean over a batch {n, ...} with labels {n}.
std::vector<at::Tensor> batch_gradient(const nn::Network& network, const at::Tensor& x,
                                       const std::vector<int64_t>& labels);

// The labels of `count` examples that all differ, increasing: the classes whose output gets the
// most negative gradient from any feature, or from its bias (Yin et al. 2021, eq. 12; features are
// taken not to be negative). Likely, not certain. Throws Error kUnsupported as label_of_gradient,
// kUsage for more examples than classes.
std::vector<int64_t> labels_of_gradient(const nn::Network& network,
                                        const std::vector<at::Tensor>& gradient, int64_t count);

struct LeakedBatch {
    at::Tensor x;                 // {n, ...}
    std::vector<int64_t> labels;  // that go with x
    double distance = 0, seconds = 0;
};

// Throws Error kUsage (an unknown name, options out of range, more than 16 examples), kInvalid
// (gradients that do not fit), kUnsupported (analytic and more than one example; a network without
// a linear last layer).
LeakedBatch invert_batch_gradient(const nn::Network& network,
                                  const std::vector<at::Tensor>& gradient, int64_t count,
                                  const LeakOptions& options);

// Which of `found` {n, ...} belongs to each of `originals` {n, ...}, n <= 16, so that the sum of
// squared differences is least.
std::vector<int64_t> assign_examples(const at::Tensor& found, const at::Tensor& originals);

// Throws Error kUsage (an unknown name, options out of range), kInvalid (gradients that do not
// fit), kUnsupported (analytic: the first layer is not linear with a bias).
LeakedExample invert_gradient(const nn::Network& network, const std::vector<at::Tensor>& gradient,
                              const LeakOptions& options);

// Clipped to this norm, plus Gaussian noise of the noise multiplier times it: what a client with
// DP-SGD and one example would send. A float sampler, for experiments only.
std::vector<at::Tensor> privatised(const std::vector<at::Tensor>& gradient, double clipping_norm,
                                   double noise_multiplier, Random& random);

// Peak signal to noise ratio in decibel for values in a range of this width.
double psnr(const at::Tensor& a, const at::Tensor& b, double width = 1);

// The small convolutional network with sigmoids on which these attacks are usually measured (LeNet
// of Zhu et al. 2019).
model::ModelSpec leakage_lenet(const model::Shape& input_shape, int64_t classes);

// It, untrained as Zhu et al. and Geiping et al. start it: all weights and biases uniform in
// [-0.5, 0.5]. (With the smaller weights that layers usually start with, sigmoids are nearly linear
// and constant, and the gradient says much less about the input.)
nn::Network untrained_lenet(const model::Shape& input_shape, int64_t classes, uint64_t seed);

}  // namespace ward::attack
