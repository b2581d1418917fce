// Networks that are trained and evaluated on shares: dense layers, convolutions, pools, group norms
// and ReLU (shape.h), with softmax and cross-entropy, the logistic loss (one output) or half the
// squared error at the end; SGD with momentum, or Adam; clipped and noisy gradients for
// differential privacy.
//
//   NetworkShape shape{.widths = {784, 128, 128, 10}};
//   Network network(party, shape, initial_weights(shape, random), {.batch_size = 128});
//   network.train_step(images, one_hot_labels);    // both shared, batch_size rows
//   SharedMatrix scores = network.scores(images);
//   NetworkWeights model = network.reveal();        // all parties learn the model
//
// The same code, instantiated for `Twin`, trains in the clear with the same arithmetic.
//
// Update of each weight w with the velocity v: v = momentum v + (sum of the batch's gradients),
// w = w - (learning_rate / batch_size) v. The division of the gradient's product takes the momentum
// along, so momentum costs nothing. Steps are quantised: learning_rate / batch_size keeps at
// least 6 significant bits, momentum 16.
//
// Convolutions are products of patches (patches.h): taking patches is local, and so is average
// pooling. Weights of a convolution are (row, column, channel of the patch) x channels.
//
// Values before a ReLU and scores must stay below 2^13 in magnitude. Security and errors: as
// party.h; shapes, the number of steps, and all options are public. Thread safety: as Party.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "ward/core/random.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/learn/clipping.h"
#include "ward/mpc/learn/group_norm.h"
#include "ward/mpc/learn/shape.h"
#include "ward/mpc/learn/twin.h"
#include "ward/mpc/max_pool.h"
#include "ward/mpc/multiply.h"
#include "ward/mpc/party.h"

namespace ward::mpc {

enum class Loss {
    kCrossEntropy,  // of the softmax, or logistic for one output
    kSquared,       // half the squared difference of scores and targets
};

enum class Optimizer { kSgd, kAdam };

struct TrainOptions {
    size_t batch_size = 128;
    double learning_rate = 0.1;
    double momentum = 0.9;
    // Adam costs some 350 bytes per weight, step and party, and 32 rounds more.
    Optimizer optimizer = Optimizer::kSgd;
    double second_momentum = 0.999;  // of Adam's squares
    Loss loss = Loss::kCrossEntropy;
    // Above 0: the gradient of each example is clipped to this norm (clipping.h; no group norms,
    // exact truncation), and to each sum of a batch comes noise that no party knows (noise.h).
    // What one example adds to the sum, divided by 2^16 and rounded, moves it by at most
    // clipping_norm + sqrt(weights) 2^-16 in Euclidean norm; noise_multiplier is in units of that.
    // Inputs must be within +-8. What guarantee a whole job has is in learn/privacy.h.
    double clipping_norm = 0;
    double noise_multiplier = 0;
};

// In the clear, 16 fraction bits. weights[l] is patch x outputs of the l-th layer that has weights,
// biases[l] 1 x outputs.
struct NetworkWeights {
    NetworkShape shape;
    std::vector<RingMatrix> weights;
    std::vector<RingMatrix> biases;
};

// He et al. 2015: uniform in +-sqrt(6 / inputs), zero biases.
NetworkWeights initial_weights(const NetworkShape& shape, Random& random);

NetworkWeights zero_weights(const NetworkShape& shape);

// Scores of a revealed network in floating point, for checking it.
std::vector<double> plain_scores(const NetworkWeights& network, std::span<const double> inputs,
                                 size_t rows);

// What a network computes with: shares and a party, or the clear and a twin.
struct OnShares {
    using Context = Party;
    using Matrix = SharedMatrix;
    using Bits = SharedBits;
    using ProductOf = Product;
    using Relu = ReluResult;
    using Largest = LargestResult;
    using Winners = Tournament;
};
struct InTheClear {
    using Context = Twin;
    using Matrix = RingMatrix;
    using Bits = PlainBits;
    using ProductOf = PlainProduct;
    using Relu = PlainRelu;
    using Largest = PlainLargest;
    using Winners = PlainTournament;
};

template <typename World>
class BasicNetwork {
  public:
    using Context = typename World::Context;
    using Matrix = typename World::Matrix;

    // `initial` is public: all parties give the same. Throws Error kUsage for shapes or options
    // that make no sense. The context must outlive the network.
    BasicNetwork(Context& context, const NetworkShape& shape, const NetworkWeights& initial,
                 const TrainOptions& options);

    // One step of SGD on batch_size rows; labels are one-hot (or 0 and 1 for one output), with 16
    // fraction bits. Throws Error kUsage for other shapes.
    void train_step(const Matrix& inputs, const Matrix& labels);

    // For the steps that follow. Throws Error kUsage outside of (0, 16].
    void set_learning_rate(double learning_rate);

    // Rows x outputs, before softmax or sigmoid.
    Matrix scores(const Matrix& inputs);

    // Weights and velocities, all that training goes on from; `restore` takes what `state` gave.
    std::vector<Matrix> state() const;
    // `steps` is the number of steps done until then. Throws Error kInvalid for matrices of other
    // shapes.
    void restore(std::vector<Matrix> state, uint64_t steps);

    // Of the noise of private training that is accounted, in units of 2^-16.
    double noise_deviation_units() const;

    const NetworkShape& shape() const { return shape_; }
    const std::vector<Matrix>& weights() const { return weights_; }
    const std::vector<Matrix>& biases() const { return biases_; }

  private:
    // What the way back needs of the way there, per step.
    struct Memory {
        Matrix input;  // of a product: rows or patches
        typename World::Bits active;
        typename World::Winners winners;
        Normalised<Matrix> normalised;
    };
    struct Pass {
        std::vector<Memory> memory;
        Matrix scores;
    };

    Pass forward(const Matrix& inputs);
    Matrix forward_step(const NetworkStep& step, Matrix x, Memory& memory);
    Matrix pooled(const NetworkStep& step, const Matrix& x, Memory& memory);
    Matrix normalised(const NetworkStep& step, const Matrix& x, Memory& memory);
    Matrix times_channels(const Matrix& x, const Matrix& factors);
    Matrix loss_gradient(const Matrix& scores, const Matrix& labels);
    // The derivative of the loss by the outputs of each product.
    std::vector<Matrix> errors(Pass& pass, const Matrix& labels);
    Matrix backward_step(const NetworkStep& step, const Memory& memory, Matrix error);
    std::vector<Matrix> inputs_of_products(Pass& pass);
    void begin_clipping();
    void check_adam() const;
    std::vector<Matrix> gradient_sums(const std::vector<Matrix>& inputs,
                                      const std::vector<Matrix>& errors, int error_bits,
                                      double momentum);
    void cap_for_clipping(std::vector<Matrix>& inputs, std::vector<Matrix>& errors);
    std::vector<Matrix> private_sums(std::vector<Matrix> inputs, std::vector<Matrix> errors,
                                     double momentum);
    void update(Pass& pass, std::vector<Matrix> errors);
    void adam_step(std::vector<Matrix> sums);
    void move_weights(const Matrix& scaled);

    Context& context_;
    NetworkShape shape_;
    std::vector<NetworkStep> steps_;
    std::vector<bool> by_channel_;  // whether the weights are those of a group norm
    std::vector<int> box_bits_;     // of each product: its gradients are 2^box_bits too large
    TrainOptions options_;
    std::vector<Matrix> weights_, biases_;
    std::vector<Matrix> weight_velocity_, bias_velocity_;
    std::vector<Matrix> squares_;  // Adam's, all in one row
    size_t weight_count_ = 0;
    uint64_t updates_ = 0;
    std::optional<Clipping> clipping_;
    double step_ = 0;    // learning_rate / batch_size
    int step_bits_ = 0;  // fraction bits it is rounded to
};

using TwinNetwork = BasicNetwork<InTheClear>;

class Network : public BasicNetwork<OnShares> {
  public:
    using BasicNetwork::BasicNetwork;
    // Opens all weights to all parties.
    NetworkWeights reveal(Party& party) const;
};

}  // namespace ward::mpc
