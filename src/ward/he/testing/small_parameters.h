// Parameter sets on tiny rings, FOR TESTS ONLY: they hide nothing.
#pragma once

#include "ward/he/params.h"

namespace ward::he::testonly {

// `depth` levels at this scale over a ring of degree 2^log_degree, digits of `digit_primes`.
Parameters small_ckks(int log_degree, int depth, int scale_bits = 40, int digit_primes = 1);

// `data` primes of 45 bits and a plaintext modulus of `plaintext_bits`.
Parameters small_bfv(int log_degree, int data, int plaintext_bits = 17, int digit_primes = 1);

}  // namespace ward::he::testonly
