// How precise an encrypted inference will be, found without encryption: the network in the clear
// with the noise that each step of the plan will add. The bounds that ciphertexts carry hold always
// and are far above; this is what to expect.
//
// Thread safety: a function.
#pragma once

#include <span>

#include "ward/he/infer/network.h"
#include "ward/he/infer/plan.h"

namespace ward::he {

// The largest absolute error of any output over examples, one after the other. Deterministic.
double simulated_error(const Network& network, const Plan& plan, std::span<const double> examples);

}  // namespace ward::he
