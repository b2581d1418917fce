// Ready-made networks by name.
#pragma once

#include <string>
#include <vector>

#include "ward/model/spec.h"

namespace ward::model {

struct ZooOptions {
    Shape input_shape;    // {features}, {channels, height, width}, {time}
    int64_t outputs = 0;  // classes or regression targets
    Task task = Task::kClassification;
    Activation::Function activation = Activation::Function::kRelu;
    std::vector<int64_t> hidden = {};  // mlp: widths of the hidden layers, default {256, 128}
    int64_t vocabulary = 0;            // transformer, lstm on tokens: number of tokens
    int64_t dimension = 256;           // transformer, lstm: width
    int64_t depth = 4;                 // transformer: blocks
    int64_t heads = 4;                 // transformer
};

struct ZooEntry {
    std::string name;
    std::string summary;  // one line for --help
};

// "logistic", "mlp", "cnn", "resnet18-gn", "transformer", "lstm".
const std::vector<ZooEntry>& zoo();

// Builds and validates. Throws Error kUsage for an unknown name (naming the known ones) and
// kInvalid where the input shape does not suit the network.
ModelSpec make_model(const std::string& name, const ZooOptions& options);

}  // namespace ward::model
