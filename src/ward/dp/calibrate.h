// The noise multiplier that meets a privacy target.
#pragma once

#include <functional>
#include <span>

#include "ward/dp/mechanism.h"

namespace ward::dp {

enum class Accountant { kPld, kRdp };

// The smallest noise multiplier, to a relative 1e-4 and always on the private side, for which
// `steps` steps at `sampling_rate` have epsilon <= target_epsilon at delta (the upper bound of
// dp/pld.h, or the exact curve of dp/rdp.h). Started from the RDP solution, then a bracketed secant
// on log epsilon against log sigma. Throws Error kUsage on values outside their range and when no
// noise multiplier in [0.01, 1e9] meets the target.
double calibrate_noise_multiplier(double target_epsilon, double delta, double sampling_rate,
                                  int64_t steps, Accountant accountant = Accountant::kPld);

}  // namespace ward::dp
