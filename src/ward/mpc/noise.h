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
// Security::kMalicious. A corrupt party may add what it likes, but
//   - privacy does not depend on it. Each party shares its part as an input of its own (share.h),
//     whose parts are defined by one message or one common draw, so the corrupt party chooses its
//     vector v when it has seen nothing that depends on the noise of the others. What is released
//     is x + v + noise of the two others modulo 2^64: for every v a translation of the mechanism
//     that is accounted. All that is computed from it later, and whether somebody ends the job, is
//     post-processing.
//   - it cannot spoil the result without limit. After all three have shared, a coin that none of
//     them could foresee selects 44 random subsets of the values, and it is verified on shares that
//     in each of them each party's noise sums up to at most B = 6 sigma sqrt(n) in magnitude. An
//     honest party passes, but for a probability below 1e-13 (its sums are sub-Gaussian of variance
//     at most n sigma^2 / 2). A value of v beyond 2 B passes with probability at most 2^-44: of two
//     selections that differ in it alone at most one is in the bound. A vector v with a norm beyond
//     32 sigma sqrt(n) (honest noise has sigma sqrt(n / 2)) passes with probability at most 2 %:
//     for a sum of signs with norm s, |sum| >= s / 2 has at least probability 3/16 (Paley, Zygmund,
//     with a fourth moment of 3 s^4), half of it on the side of the mean. In a training this holds
//     for each step. The check opens one bit, which of a party that is honest says nothing.
//
// Security: as above. Drawing takes time that depends on the values (dp/discrete_gaussian.h).
// Thread safety: as Party.
#pragma once

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

// `sigma_units` is in units of 2^-16 of a fixed-point number, 8 <= sigma_units <= 2^25. 1 round, 8
// bytes per value and party. With kMalicious about 50 rounds, 8 bytes per value and party, and what
// verifies 264 comparisons; throws Error kCorrupt that names a party whose noise is out of bounds,
// kUnsupported for so many values that sums could wrap (2^29 of deviation 2^16). Throws Error
// kUsage for another sigma.
SharedMatrix discrete_gaussian_noise(Party& party, size_t rows, size_t cols, double sigma_units);

namespace internal {

// B: how far the sum of any of `count` values of one party's noise may be from 0.
Ring noise_bound(size_t count, double sigma_units);

// The end of the verified protocol, from the noise of this party.
SharedMatrix add_verified_noise(Party& party, const RingMatrix& own, double sigma_units);

}  // namespace internal
}  // namespace ward::mpc
