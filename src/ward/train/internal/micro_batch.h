// How many examples to work on at once.
#pragma once

#include <cstdint>

#include "ward/model/spec.h"

namespace ward::train {

// The largest number of positions T at which a layer whose gradient is summed in float32 is applied
// to one example.
int64_t most_positions(const model::ModelSpec& spec);

// As many examples as keep activations and their gradients within a gigabyte, between 1 and 4096.
int64_t automatic_micro_batch(const model::ModelSpec& spec, int64_t views);

}  // namespace ward::train
