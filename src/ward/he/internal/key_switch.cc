#include "ward/he/internal/key_switch.h"

#include <array>
#include <cstring>

#include "ward/he/internal/rlwe.h"
#include "ward/he/internal/rows.h"

namespace ward::he::internal {
namespace {
constexpr size_t kMaxDigits = 64;  // a context has at most 40 data primes
}

void expand_switch_key(const Ring& ring, SwitchKeyBody& key) {
    const size_t rows = key.limbs + ring.special_count();
    key.a.clear();
    for (size_t digit = 0; digit < ring.digit_count(key.limbs); ++digit) {
        Poly a(ring.degree(), rows);
        for_rows(rows, ring.degree(), [&](size_t row) {
            sample_uniform(key.seed, 256 * digit + row,
                           ring.modulus(prime_of_row(ring, key.limbs, row)), a.limb(row),
                           ring.degree());
        });
        key.a.push_back(std::move(a));
    }
}

SwitchKeyBody make_switch_key(const Ring& ring, const Poly& source, const Poly& target,
                              size_t limbs, Random& random) {
    const Kernels& k = kernels();
    const size_t n = ring.degree();
    SwitchKeyBody key;
    key.limbs = limbs;
    key.seed = random_seed(random);
    expand_switch_key(ring, key);
    for (size_t digit = 0; digit < key.a.size(); ++digit) {
        Poly b = to_ntt(ring, sample_error(random, n), limbs, true), product(n, b.limbs());
        product.secret();
        for_rows(b.limbs(), n, [&](size_t row) {
            const size_t prime = prime_of_row(ring, limbs, row);
            const Modulus& q = ring.modulus(prime);
            uint64_t* work = product.limb(row);
            k.multiply(q, key.a[digit].limb(row), target.limb(prime), work, n);
            k.subtract(q, b.limb(row), work, b.limb(row), n);
            if (row < ring.digit_first(digit) || row >= ring.digit_last(digit, limbs)) return;
            k.multiply_factor(q, source.limb(prime), ring.special_product(prime), work, n);
            k.add(q, b.limb(row), work, b.limb(row), n);
        });
        key.b.push_back(std::move(b));
    }
    return key;
}

std::vector<Poly> decompose(const Ring& ring, const Poly& poly) {
    const Kernels& k = kernels();
    const size_t n = ring.degree(), limbs = poly.limbs();
    std::vector<Poly> digits;
    for (size_t digit = 0; digit < ring.digit_count(limbs); ++digit) {
        const size_t first = ring.digit_first(digit), last = ring.digit_last(digit, limbs);
        const BaseConversion& conversion = ring.digit_conversion(digit, limbs);
        Poly coefficients(n, last - first);
        std::vector<const uint64_t*> in;
        for (size_t i = first; i < last; ++i) in.push_back(coefficients.limb(i - first));
        for_rows(last - first, n, [&](size_t i) {
            k.ntt_inverse(ring.table(first + i), poly.limb(first + i), coefficients.limb(i));
        });
        Poly out(n, limbs + ring.special_count());
        // By prime: those that the polynomial has lost, and the digit's own, are left out.
        std::vector<uint64_t*> targets(conversion.to_count(), nullptr);
        for (size_t row = 0; row < out.limbs(); ++row) {
            if (row >= first && row < last) {
                std::memcpy(out.limb(row), poly.limb(row), n * sizeof(uint64_t));
            } else {
                targets[prime_of_row(ring, limbs, row)] = out.limb(row);
            }
        }
        conversion.convert(in.data(), n, targets.data());
        for_rows(targets.size(), n, [&](size_t prime) {
            if (targets[prime] == nullptr) return;
            k.ntt_forward(ring.table(prime), targets[prime], targets[prime]);
        });
        digits.push_back(std::move(out));
    }
    return digits;
}

PolyPair inner_product(const Ring& ring, const std::vector<Poly>& digits,
                       const SwitchKeyBody& key) {
    const size_t n = ring.degree(), rows = digits[0].limbs();
    const size_t limbs = rows - ring.special_count();
    PolyPair sum{Poly(n, rows), Poly(n, rows)};
    for_rows(rows, n, [&](size_t row) {
        const size_t key_row = row < limbs ? row : key.limbs + (row - limbs);
        std::array<const uint64_t*, kMaxDigits> x, b, a;
        for (size_t d = 0; d < digits.size(); ++d) {
            x[d] = digits[d].limb(row);
            b[d] = key.b[d].limb(key_row);
            a[d] = key.a[d].limb(key_row);
        }
        kernels().inner_product_pair(ring.modulus(prime_of_row(ring, limbs, row)), x.data(),
                                     b.data(), a.data(), digits.size(), sum.c0.limb(row),
                                     sum.c1.limb(row), n);
    });
    return sum;
}

Poly divide_by_special(const Ring& ring, Poly poly, const Poly* addend) {
    const Kernels& k = kernels();
    const size_t n = ring.degree(), limbs = poly.limbs() - ring.special_count();
    const BaseConversion& conversion = ring.special_to_data();
    std::vector<const uint64_t*> in;
    for (size_t i = 0; i < ring.special_count(); ++i) in.push_back(poly.limb(limbs + i));
    for_rows(ring.special_count(), n, [&](size_t i) {
        k.ntt_inverse(ring.table(ring.special(i)), poly.limb(limbs + i), poly.limb(limbs + i));
    });
    Buffer scratch(conversion.scratch_words(n));
    conversion.prepare(in.data(), n, scratch.data());
    Poly out(n, limbs);
    for_rows(limbs, n, [&](size_t i) {
        const Modulus& q = ring.modulus(i);
        uint64_t* row = out.limb(i);
        conversion.finish(i, n, scratch.data(), row);
        k.ntt_forward(ring.table(i), row, row);
        k.subtract_multiply(q, poly.limb(i), row, ring.inverse_special_product(i), row, n);
        if (addend != nullptr) k.add(q, row, addend->limb(i), row, n);
    });
    return out;
}

}  // namespace ward::he::internal
