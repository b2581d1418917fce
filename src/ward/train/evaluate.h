// What a network says about a data set.
#pragma once

#include <cstdint>
#include <vector>

#include "ward/data/dataset.h"
#include "ward/nn/network.h"
#include "ward/nn/script_module.h"

namespace ward::train {

struct Predictions {
    int64_t outputs = 0;        // classes, or regression targets
    std::vector<float> values;  // size x outputs: class probabilities, or predicted targets
};

// In pieces of bounded memory, without dropout. Throws Error kInvalid when the data set does not
// fit the network.
Predictions predict(nn::Network& network, const data::Dataset& data);

// The same of a script; its outputs become probabilities by softmax where they are not.
Predictions predict(const nn::ScriptModule& module, const data::Dataset& data);

// Class of the largest probability (the first of equals), per example.
std::vector<int64_t> predicted_classes(const Predictions& predictions);

// Share of examples whose predicted class is their label. Throws Error kInvalid for a data set
// without labels.
double accuracy(const Predictions& predictions, const data::Dataset& data);

}  // namespace ward::train
