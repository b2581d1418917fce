#include "ward/he/testing/small_parameters.h"

#include "ward/he/internal/ntt.h"

namespace ward::he::testonly {

Parameters small_ckks(int log_degree, int depth, int scale_bits, int digit_primes) {
    Parameters p;
    p.scheme = Scheme::kCkks;
    p.log_degree = log_degree;
    p.scale_bits = scale_bits;
    p.digit_primes = digit_primes;
    const auto scales = internal::ntt_primes_near(log_degree, scale_bits, depth);
    p.data_primes = internal::ntt_primes(log_degree, 49, 1, scales);
    p.special_primes = internal::ntt_primes(log_degree, 49, digit_primes, {p.data_primes[0]});
    p.data_primes.insert(p.data_primes.end(), scales.begin(), scales.end());
    return p;
}

Parameters small_bfv(int log_degree, int data, int plaintext_bits, int digit_primes) {
    Parameters p;
    p.scheme = Scheme::kBfv;
    p.log_degree = log_degree;
    p.plaintext_modulus = internal::ntt_primes(log_degree, plaintext_bits, 1)[0];
    p.digit_primes = digit_primes;
    p.data_primes = internal::ntt_primes(log_degree, 45, data, {p.plaintext_modulus});
    p.special_primes = internal::ntt_primes(log_degree, 48, digit_primes, p.data_primes);
    return p;
}

}  // namespace ward::he::testonly
