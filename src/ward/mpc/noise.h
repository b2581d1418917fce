// Noise for differential privacy that is drawn inside the protocol, so that no party knows it.
//
// Each party draws discrete Gaussian noise of deviation sigma / sqrt(2) of its own; the sum is
// shared and never opened. A corrupt party can subtract its own part: what the two others have
// added still has variance sigma^2, and that is what may be accounted (an outsider faces 3/2 of
// it). A sum of two discrete Gaussians is not exactly one: for deviations t of 4 and more, the
// log-ratio of the probabilities of both is below 10 exp(-pi^2 t^2) < 1e-67 (Kairouz, Liu, Steinke,
// ICML 2021, theorem on sums of discrete Gaussians).
//
// This is the noise alone. Whoever releases x + noise must have bounded the sensitivity of x on
// shares, and account for sigma in units of 2^-16.
//
// Security: semi-honest; a party that deviates can add what it likes. Drawing takes time that
// depends on the values (dp/discrete_gaussian.h).
#pragma once

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

// `sigma_units` is in units of 2^-16 of a fixed-point number, 8 <= sigma_units <= 2^25. 1 round, 8
// bytes per value and party. Throws Error kUsage for another sigma.
SharedMatrix discrete_gaussian_noise(Party& party, size_t rows, size_t cols, double sigma_units);

}  // namespace ward::mpc
