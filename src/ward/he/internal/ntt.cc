#include "ward/he/internal/ntt.h"

#include <algorithm>
#include <string>

#include "ward/core/error.h"

namespace ward::he::internal {
namespace {

void check_degree(int log_degree) {
    if (log_degree < kMinLogDegree || log_degree > kMaxLogDegree) {
        throw Error(ErrorCode::kInvalid,
                    "log2 of the ring degree must be 5..17, got " + std::to_string(log_degree));
    }
}

// The least primitive root of order 2N, so that a table depends on (N, q) only.
uint64_t least_primitive_root(const Modulus& modulus, int log_degree) {
    const uint64_t q = modulus.value();
    const uint64_t order = uint64_t{2} << log_degree;
    uint64_t root = 0;
    for (uint64_t base = 2; root == 0; ++base) {
        const uint64_t candidate = modulus.power_vartime(base, (q - 1) / order);
        if (modulus.power_vartime(candidate, order / 2) == q - 1) root = candidate;
    }
    const uint64_t square = modulus.multiply(root, root);
    uint64_t least = root;
    for (uint64_t i = 1; i < order / 2; ++i) {
        root = modulus.multiply(root, square);
        least = std::min(least, root);
    }
    return least;
}

}  // namespace

NttTable::NttTable(int log_degree, uint64_t q)
    : log_degree_(log_degree), modulus_(q), words_(size_t{4} << log_degree) {
    check_degree(log_degree);
    if (q % (uint64_t{2} << log_degree) != 1 || !is_prime_vartime(q)) {
        throw Error(ErrorCode::kInvalid, "modulus must be a prime = 1 mod " +
                                             std::to_string(uint64_t{2} << log_degree) + ", got " +
                                             std::to_string(q));
    }
    const uint64_t psi = least_primitive_root(modulus_, log_degree);
    const uint64_t inverse_psi = modulus_.invert(psi);
    const size_t n = degree();
    uint64_t power = 1, inverse_power = 1;
    for (size_t i = 0; i < n; ++i) {
        const size_t place = reverse_bits(i, log_degree);
        const Factor root = modulus_.factor(power), inverse = modulus_.factor(inverse_power);
        words_[place] = root.value;
        words_[n + place] = root.quotient;
        words_[2 * n + place] = inverse.value;
        words_[3 * n + place] = inverse.quotient;
        power = modulus_.multiply(power, psi);
        inverse_power = modulus_.multiply(inverse_power, inverse_psi);
    }
    inverse_degree_ = modulus_.factor(modulus_.invert(modulus_.reduce64(n)));
    last_inverse_root_ =
        modulus_.factor(modulus_.multiply(inverse_degree_.value, words_[2 * n + 1]));
}

std::vector<uint64_t> ntt_primes(int log_degree, int bits, int count,
                                 const std::vector<uint64_t>& taken) {
    check_degree(log_degree);
    const uint64_t step = uint64_t{2} << log_degree;
    std::vector<uint64_t> primes;
    if (bits > log_degree + 1 && bits <= kMaxModulusBits) {
        const uint64_t top = uint64_t{1} << bits;
        for (uint64_t q = top - step + 1; q > top / 2 && static_cast<int>(primes.size()) < count;
             q -= step) {
            if (std::find(taken.begin(), taken.end(), q) == taken.end() && is_prime_vartime(q)) {
                primes.push_back(q);
            }
        }
    }
    if (static_cast<int>(primes.size()) < count) {
        throw Error(ErrorCode::kInvalid,
                    "there are not " + std::to_string(count) + " primes of " +
                        std::to_string(bits) + " bits for ring degree " +
                        std::to_string(uint64_t{1} << log_degree),
                    "use primes of 30 to 49 bits");
    }
    return primes;
}

std::vector<uint64_t> ntt_primes_near(int log_degree, int log2_center, int count,
                                      const std::vector<uint64_t>& taken) {
    check_degree(log_degree);
    const uint64_t step = uint64_t{2} << log_degree;
    const uint64_t center = uint64_t{1} << log2_center;
    std::vector<uint64_t> primes;
    // Below and above in turn; both distances grow by one step a round.
    for (uint64_t k = 1; static_cast<int>(primes.size()) < count; ++k) {
        if (log2_center <= log_degree + 1 || k * step > center / 8) {
            throw Error(ErrorCode::kInvalid,
                        "there are not " + std::to_string(count) + " primes near 2^" +
                            std::to_string(log2_center) + " for ring degree " +
                            std::to_string(uint64_t{1} << log_degree),
                        "use a larger scale");
        }
        for (uint64_t q : {center - k * step + 1, center + (k - 1) * step + 1}) {
            if (static_cast<int>(primes.size()) == count || q == center + 1) continue;
            if (q >> kMaxModulusBits != 0) continue;
            if (std::find(taken.begin(), taken.end(), q) == taken.end() && is_prime_vartime(q)) {
                primes.push_back(q);
            }
        }
    }
    return primes;
}

}  // namespace ward::he::internal
