#include "ward/he/params.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "ward/core/error.h"
#include "ward/he/internal/noise.h"
#include "ward/he/internal/ntt.h"

namespace ward::he {
namespace {

constexpr int kSmallestLog = 10, kLargestLog = 17;
// Rows N = 2^10 .. 2^17 of the guidelines, table 5.2; the last of 256 bits is not published, nor are
// the first of 192 and 256 bits.
constexpr int k128[] = {26, 53, 106, 214, 430, 868, 1747, 3523};
constexpr int k192[] = {0, 36, 73, 147, 297, 597, 1199, 2411};
constexpr int k256[] = {0, 27, 56, 114, 230, 462, 929, 0};

void check_range(const char* what, int value, int low, int high) {
    if (value >= low && value <= high) return;
    throw Error(ErrorCode::kInvalid, std::string(what) + " must be " + std::to_string(low) + ".." +
                                         std::to_string(high) + ", got " + std::to_string(value));
}

double log2_product(const std::vector<uint64_t>& primes) {
    double bits = 0;
    for (uint64_t q : primes) bits += std::log2(static_cast<double>(q));
    return bits;
}

// Transforms of one key switch at the top level: what its time is made of.
int transforms(int data, int special, int digit_primes) {
    const int digits = (data + digit_primes - 1) / digit_primes;
    return digits * (data + special) + 2 * special + 2 * data;
}

// Special primes whose product is about that of the largest digit, or above.
std::vector<uint64_t> special_primes(const Parameters& p) {
    double largest = 0;
    for (size_t first = 0; first < p.data_primes.size(); first += p.digit_primes) {
        const size_t last = std::min(p.data_primes.size(), first + p.digit_primes);
        largest = std::max(
            largest, log2_product({p.data_primes.begin() + first, p.data_primes.begin() + last}));
    }
    const int count = p.digit_primes;
    const int bits = std::min(internal::kMaxModulusBits,
                              std::max(30, static_cast<int>(std::ceil(largest / count)) + 1));
    return internal::ntt_primes(p.log_degree, bits, count, p.data_primes);
}

// Chooses digit and special primes so that the set is secure and a key switch costs least; false if
// no choice is secure.
bool complete(Parameters& p, int wanted_digit_primes) {
    const int data = static_cast<int>(p.data_primes.size());
    const int limit = max_modulus_bits(p.log_degree, p.security);
    std::optional<Parameters> best;
    for (int alpha = 1; alpha <= data; ++alpha) {
        if (wanted_digit_primes != 0 && alpha != wanted_digit_primes) continue;
        Parameters candidate = p;
        candidate.digit_primes = alpha;
        candidate.special_primes = special_primes(candidate);
        if (modulus_bits(candidate) > limit) continue;
        if (!best || transforms(data, alpha, alpha) <
                         transforms(data, best->digit_primes, best->digit_primes)) {
            best = candidate;
        }
    }
    if (best) p = *best;
    return best.has_value();
}

// One prime for each level, near 2^scale_bits. A scale is off by the primes already dropped, and
// the deviation doubles with each product, so the nearest prime is dropped first (it is the last).
// Those below the power take a bit less on the wire, which a few levels allow.
std::vector<uint64_t> scale_primes(int log_degree, int scale_bits, int depth) {
    auto primes = depth <= 8 ? internal::ntt_primes(log_degree, scale_bits, depth)
                             : internal::ntt_primes_near(log_degree, scale_bits, depth);
    std::reverse(primes.begin(), primes.end());
    return primes;
}

[[noreturn]] void fail_too_large() {
    throw Error(ErrorCode::kUnsupported, "no ring up to N = 65536 is secure for this request",
                "ask for less depth, precision or security");
}

}  // namespace

int max_modulus_bits(int log_degree, SecurityLevel security) {
    if (log_degree < kSmallestLog || log_degree > kLargestLog) return 0;
    const int row = log_degree - kSmallestLog;
    switch (security) {
        case SecurityLevel::k128:
            return k128[row];
        case SecurityLevel::k192:
            return k192[row];
        case SecurityLevel::k256:
            return k256[row];
    }
    return 0;
}

double modulus_bits(const Parameters& p) {
    return log2_product(p.data_primes) + log2_product(p.special_primes);
}

Parameters ckks_parameters(const CkksRequest& request) {
    check_range("depth", request.depth, 0, 60);
    check_range("scale_bits", request.scale_bits, 25, 48);
    check_range("integer_bits", request.integer_bits, 1, 40);
    check_range("min_slots", request.min_slots, 0, 1 << 15);
    check_range("digit_primes", request.digit_primes, 0, 60);
    // The base holds scale, integer part, sign and one bit to spare.
    const int base_bits = request.scale_bits + request.integer_bits + 2;
    const int base_primes = base_bits <= internal::kMaxModulusBits ? 1 : 2;
    for (int log_degree = kSmallestLog; log_degree <= 16; ++log_degree) {
        if ((1 << log_degree) / 2 < request.min_slots) continue;
        Parameters p;
        p.scheme = Scheme::kCkks;
        p.security = request.security;
        p.log_degree = log_degree;
        p.scale_bits = request.scale_bits;
        p.base_primes = base_primes;
        if (base_bits + request.depth * request.scale_bits >
            max_modulus_bits(log_degree, request.security)) {
            continue;
        }
        const auto scales = scale_primes(log_degree, request.scale_bits, request.depth);
        const int bits = std::max(log_degree + 8, (base_bits + base_primes - 1) / base_primes);
        p.data_primes = internal::ntt_primes(log_degree, bits, base_primes, scales);
        p.data_primes.insert(p.data_primes.end(), scales.begin(), scales.end());
        if (complete(p, request.digit_primes)) return p;
    }
    fail_too_large();
}

Parameters bfv_parameters(const BfvRequest& request) {
    check_range("depth", request.depth, 0, 40);
    check_range("plaintext_bits", request.plaintext_bits, 14, 40);
    check_range("min_slots", request.min_slots, 0, 1 << 16);
    check_range("digit_primes", request.digit_primes, 0, 60);
    for (int log_degree = 12; log_degree <= 16; ++log_degree) {
        if ((1 << log_degree) < request.min_slots) continue;
        if (request.plaintext_bits <= log_degree + 1) continue;
        Parameters p;
        p.scheme = Scheme::kBfv;
        p.security = request.security;
        p.log_degree = log_degree;
        p.plaintext_modulus = internal::ntt_primes(log_degree, request.plaintext_bits, 1)[0];
        const double needed =
            internal::bfv_modulus_bits(log_degree, p.plaintext_modulus, request.depth);
        if (needed > max_modulus_bits(log_degree, request.security)) continue;
        const int count = static_cast<int>(std::ceil(needed / internal::kMaxModulusBits));
        const int bits = std::min(internal::kMaxModulusBits,
                                  static_cast<int>(std::ceil(needed / count + 1e-6)) + 1);
        p.data_primes = internal::ntt_primes(log_degree, bits, count, {p.plaintext_modulus});
        if (complete(p, request.digit_primes)) return p;
    }
    fail_too_large();
}

}  // namespace ward::he
