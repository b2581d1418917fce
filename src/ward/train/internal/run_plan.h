// What a run is before it starts: options that fit the data, and the plan of a private one.
#pragma once

#include "ward/train/trainer.h"

namespace ward::train {

// Throws Error kUsage (a value out of range) or kInvalid (data and model do not fit).
void check_options(const TrainOptions& options, const data::Dataset& data);

}  // namespace ward::train
