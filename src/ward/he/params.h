// What a key is made for: scheme, ring, primes. Chosen from what a computation needs, checked
// against the tables of "Security Guidelines for Implementing Homomorphic Encryption" (Bossuat et
// al., ia.cr/2024/463; classical attacks, ternary secret, error sigma 3.2).
//
// Thread safety: value types.
#pragma once

#include <cstdint>
#include <vector>

namespace ward::he {

enum class Scheme { kCkks, kBfv };

enum class SecurityLevel { k128 = 128, k192 = 192, k256 = 256 };

// One secret key's worth of parameters. Made by the functions below; a change by hand is checked
// again when a Context is made of it.
struct Parameters {
    Scheme scheme = Scheme::kCkks;
    SecurityLevel security = SecurityLevel::k128;
    int log_degree = 0;  // ring degree N = 2^log_degree
    std::vector<uint64_t>
        data_primes;  // primes = 1 mod 2N below 2^49; ciphertexts live modulo these
    std::vector<uint64_t> special_primes;  // for key switching only
    int digit_primes = 1;                  // data primes in one digit of the hybrid key switch

    // CKKS
    int scale_bits = 0;   // log2 of the scale of fresh encodings
    int base_primes = 1;  // data primes that no rescaling may drop

    // BFV
    uint64_t plaintext_modulus = 0;

    bool operator==(const Parameters&) const = default;
};

// The largest log2 of the product of all primes for this ring at this level; 0 where the guidelines
// have no row (outside N = 1024 .. 131072).
int max_modulus_bits(int log_degree, SecurityLevel security);

// log2 of the product of all primes.
double modulus_bits(const Parameters& parameters);

struct CkksRequest {
    int depth = 1;         // multiplications one after the other, each followed by a rescaling
    int scale_bits = 40;   // about this many bits of precision and magnitude together; 25..48
    int integer_bits = 5;  // results stay below 2^integer_bits
    int min_slots = 0;     // values to be packed in one ciphertext
    SecurityLevel security = SecurityLevel::k128;
    int digit_primes = 0;  // 0: the cheapest
};

// The smallest set that serves the request. Throws Error kInvalid when a number is out of range,
// and kUnsupported when no ring up to N = 65536 is large enough.
Parameters ckks_parameters(const CkksRequest& request);

struct BfvRequest {
    int depth = 1;
    int plaintext_bits = 17;  // log2 of the plaintext modulus, a prime = 1 mod 2N; 14..40
    int min_slots = 0;
    SecurityLevel security = SecurityLevel::k128;
    int digit_primes = 0;
};

// As above. The depth counts products of ciphertexts in the worst case of the noise.
Parameters bfv_parameters(const BfvRequest& request);

}  // namespace ward::he
