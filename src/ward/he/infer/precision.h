// How precise an encrypted inference will be, found without encryption: the network in the clear
// with the noise that each step of the plan will add. The bounds that ciphertexts carry hold always
// and are far above; this is what to expect.
//
// Thread safety: a function.
#pragma once

#include <span>

#include "ward/he/ciphertext.h"
#include "ward/he/infer/network.h"
#include "ward/he/infer/plan.h"

namespace ward::he {

// The largest absolute error of any output over examples, one after the other. Deterministic.
double simulated_error(const Network& network, const Plan& plan, std::span<const double> examples);

// By how much outputs of one example differ, on average over examples (one output: its size).
double output_spread(const Network& network, std::span<const double> examples);

// Standard deviation of the noise in decoded slots, at most, where noise is most of the error, as
// after hide_computation. Slots that repeat are decoded as the mean of their copies.
double noise_deviation(const Ciphertext& c);

// Throws Error kRefused when the noise that covers a result (circuit_privacy.h) would make nothing
// of outputs with this spread: its standard deviation is above an eighth of it.
void require_readable(const Ciphertext& hidden, double spread);

}  // namespace ward::he
