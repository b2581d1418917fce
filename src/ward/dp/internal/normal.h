// The standard normal law where differences and tails must keep their relative accuracy.
#pragma once

namespace ward::dp::internal {

double normal_density(double z);

// P(Z > z).
double normal_tail(double z);

// P(a < Z <= b) for a <= b, either may be infinite; relative error below 1e-13.
double normal_interval(double a, double b);

// z with P(Z > z) = p for 0 < p < 1, to about 1e-9: for choosing ranges.
double normal_tail_inverse(double p);

}  // namespace ward::dp::internal
