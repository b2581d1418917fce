// Who says what the pictures of a model inversion show, and how near they are to training examples.
// For `ward attack inversion` and `ward audit`.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "ward/attack/inversion.h"
#include "ward/cli/internal/attack.h"

namespace ward::cli {

// A network that knows no example that the model knows.
struct InversionJudge {
    std::unique_ptr<nn::Network> network;
    std::vector<double> mean, std;
    double accuracy = 0;  // on the training part, which it has not seen
    std::string description;

    // Of x in the attacker's space: {n, classes}.
    at::Tensor shares(const at::Tensor& x) const;
};

// Trained on the test part, or this model file. Throws Error kInvalid for a file whose inputs have
// another shape.
InversionJudge make_inversion_judge(const AttackTarget& loaded, const data::Dataset& train,
                                    const std::string& file, const IdentityOptions& identities);

// One picture that came back, and what others say about it.
struct JudgedInversion {
    attack::InvertedClass inverted;
    int64_t judged = 0;
    double judge_confidence = 0;          // in the right class
    double psnr_mean = 0, ssim_mean = 0;  // to the mean of the class's training examples
    double psnr_nearest = 0;              // to the nearest of them
    at::Tensor mean, nearest;             // undefined for a class without examples
};

// `originals`: training examples in the attacker's space.
JudgedInversion judge_inversion(attack::InvertedClass inverted, const InversionJudge& judge,
                                const AttackInputs& originals, double width);

}  // namespace ward::cli
