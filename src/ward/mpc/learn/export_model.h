// A revealed network as a model of module model, which `ward evaluate`, `ward predict` and every
// safetensors reader open.
#pragma once

#include "ward/data/dataset.h"
#include "ward/model/model.h"
#include "ward/mpc/learn/network.h"

namespace ward::mpc {

// The data set gives input shape, classes and preprocessing for the card. A single output z becomes
// two scores, 0 and z, whose softmax is the logistic function of z.
model::Model to_model(const NetworkWeights& network, const data::Dataset& train_set);

}  // namespace ward::mpc
