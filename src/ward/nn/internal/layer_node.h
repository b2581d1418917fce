// A layer of a spec with the indices of its parameters in Network::parameters().
#pragma once

#include <string>
#include <vector>

#include "ward/model/spec.h"

namespace ward::nn {

struct LayerNode {
    const model::LayerSpec* spec = nullptr;  // points into Network::spec_
    std::string path;                        // "block1.body.conv2"
    std::vector<int> parameters;             // in the order of model::parameters()
    std::vector<LayerNode> body, shortcut;   // of a Residual
};

}  // namespace ward::nn
