// Small models with random weights, FOR TESTS ONLY.
#pragma once

#include <string>
#include <vector>

#include "ward/core/random.h"
#include "ward/model/model.h"

namespace ward::he::testonly {

// Weights uniform in [-1, 1] over the square root of the fan-in.
model::Model random_model(const std::string& name, const model::Shape& input, int64_t outputs,
                          std::vector<model::LayerSpec> layers, Random& random);

// Inputs uniform in [-1, 1].
std::vector<double> random_example(const model::Model& model, Random& random);

}  // namespace ward::he::testonly
