// Networks whose weights are encrypted: y = f(Enc(theta), x), for x in the clear or encrypted as
// well. For fully connected layers.
//
// The owner of the model encrypts weights and biases once and hands them to an evaluator, who can
// compute with them but neither read them nor use them without the owner of the key. Layers take
// turns between two packings, so that one product of ciphertexts serves a whole layer:
//
//   columns  block b of the slots holds column b of the matrix; the operand has x[b] in all of
//            block b; adding the blocks gives y, repeated
//   rows     block b holds row b; the operand is x, repeated; adding within blocks gives y[b] at
//            the head of block b; a mask and rotations spread it over the block
//
// Threat: the evaluator is semi-honest and learns shapes, bounds and nothing else; it must not
// collude with the owner of the key. The owner of the key decrypts outputs and sees only them:
// slots beside the outputs are cleared. When the key belongs to the owner of the model and the
// scores are passed on, decrypt with decrypt_for_release. Thread safety: values and const objects.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "ward/he/ckks.h"
#include "ward/he/infer/client.h"
#include "ward/he/infer/network.h"

namespace ward::he {

struct WeightStage {
    bool by_columns = true;
    int rows = 0, columns = 0;
    int block = 1;        // slots of one block, a power of two
    int ciphertexts = 1;  // of weights
    int level = 0;        // of the operand
    // Public bounds, rounded up to powers of two: of one weight, one bias, sums while they are
    // made, and of what the activation is applied to.
    double weight_bound = 0, bias_bound = 0, sum_bound = 0, value_bound = 0;
    bool has_activation = false;
    PolynomialActivation activation;
};

struct WeightPlan {
    Parameters parameters;
    Interval input;
    std::vector<WeightStage> stages;
    std::map<int, int> rotations;  // steps, and the highest level they are used at

    int inputs() const { return stages.front().columns; }
    int outputs() const { return stages.back().rows; }
    int output_stride() const;  // slots from one output to the next
};

// Throws Error kUnsupported for networks that do not fit the packing.
WeightPlan plan_encrypted_weights(const Network& network, const PlanRequest& request);

// Ciphertexts of one layer.
struct EncryptedStage {
    std::vector<Ciphertext> weights;
    Ciphertext bias;
};

struct EncryptedNetwork {
    std::vector<EncryptedStage> stages;
};

EvaluationKeys weight_evaluation_keys(const SecretKey& secret, const WeightPlan& plan,
                                      Random& random);

// By the owner of the model, under the public key of the owner of the key.
EncryptedNetwork encrypt_network(const Network& network, const WeightPlan& plan,
                                 const PublicKey& key, Random& random);

// By the owner of the data, for `run` with an encrypted input.
std::vector<Ciphertext> encrypt_input(const WeightPlan& plan, std::span<const double> input,
                                      const PublicKey& key, Random& random);

// By the evaluator. Throws Error kInvalid for inputs of another number or out of range.
class EncryptedWeightsProgram {
  public:
    EncryptedWeightsProgram(WeightPlan plan, EncryptedNetwork network, EvaluationKeys keys);

    Ciphertext run(std::span<const double> input) const;
    Ciphertext run(std::span<const Ciphertext> input) const;

  private:
    Ciphertext finish_stage(size_t index, Ciphertext product) const;
    Ciphertext run_rest(Ciphertext x) const;

    WeightPlan plan_;
    EncryptedNetwork network_;
    EvaluationKeys keys_;
    ContextPtr context_;
    CkksEncoder encoder_;
    CkksEvaluator evaluator_;
};

// Outputs out of the decoded slots. Throws Error kInvalid when there are too few.
std::vector<double> outputs_of(const WeightPlan& plan, std::span<const double> slots);

}  // namespace ward::he
