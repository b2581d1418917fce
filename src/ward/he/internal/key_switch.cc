#include "ward/he/internal/key_switch.h"

#include <cstring>

#include "ward/he/internal/rlwe.h"

namespace ward::he::internal {

void expand_switch_key(const Ring& ring, SwitchKeyBody& key) {
    const size_t rows = key.limbs + ring.special_count();
    key.a.clear();
    for (size_t digit = 0; digit < ring.digit_count(key.limbs); ++digit) {
        Poly a(ring.degree(), rows);
        for (size_t row = 0; row < rows; ++row) {
            sample_uniform(key.seed, 256 * digit + row,
                           ring.modulus(prime_of_row(ring, key.limbs, row)), a.limb(row),
                           ring.degree());
        }
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
    Poly product(n, 1);
    product.secret();
    for (size_t digit = 0; digit < key.a.size(); ++digit) {
        Poly b = to_ntt(ring, sample_error(random, n), limbs, true);
        for (size_t row = 0; row < b.limbs(); ++row) {
            const size_t prime = prime_of_row(ring, limbs, row);
            const Modulus& q = ring.modulus(prime);
            k.multiply(q, key.a[digit].limb(row), target.limb(prime), product.limb(0), n);
            k.subtract(q, b.limb(row), product.limb(0), b.limb(row), n);
            if (row < ring.digit_first(digit) || row >= ring.digit_last(digit, limbs)) continue;
            k.multiply_factor(q, source.limb(prime), ring.special_product(prime), product.limb(0),
                              n);
            k.add(q, b.limb(row), product.limb(0), b.limb(row), n);
        }
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
        for (size_t i = first; i < last; ++i) {
            k.ntt_inverse(ring.table(i), poly.limb(i), coefficients.limb(i - first));
            in.push_back(coefficients.limb(i - first));
        }
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
        for (size_t prime = 0; prime < targets.size(); ++prime) {
            if (targets[prime] == nullptr) continue;
            k.ntt_forward(ring.table(prime), targets[prime], targets[prime]);
        }
        digits.push_back(std::move(out));
    }
    return digits;
}

PolyPair inner_product(const Ring& ring, const std::vector<Poly>& digits,
                       const SwitchKeyBody& key) {
    const size_t n = ring.degree(), rows = digits[0].limbs();
    const size_t limbs = rows - ring.special_count();
    PolyPair sum{Poly(n, rows), Poly(n, rows)};
    std::vector<const uint64_t*> x(digits.size()), b(digits.size()), a(digits.size());
    for (size_t row = 0; row < rows; ++row) {
        const size_t key_row = row < limbs ? row : key.limbs + (row - limbs);
        for (size_t d = 0; d < digits.size(); ++d) {
            x[d] = digits[d].limb(row);
            b[d] = key.b[d].limb(key_row);
            a[d] = key.a[d].limb(key_row);
        }
        kernels().inner_product_pair(ring.modulus(prime_of_row(ring, limbs, row)), x.data(),
                                     b.data(), a.data(), digits.size(), sum.c0.limb(row),
                                     sum.c1.limb(row), n);
    }
    return sum;
}

Poly divide_by_special(const Ring& ring, Poly poly, const Poly* addend) {
    const Kernels& k = kernels();
    const size_t n = ring.degree(), limbs = poly.limbs() - ring.special_count();
    const BaseConversion& conversion = ring.special_to_data();
    std::vector<const uint64_t*> in;
    for (size_t i = 0; i < ring.special_count(); ++i) {
        k.ntt_inverse(ring.table(ring.special(i)), poly.limb(limbs + i), poly.limb(limbs + i));
        in.push_back(poly.limb(limbs + i));
    }
    Buffer scratch(conversion.scratch_words(n));
    conversion.prepare(in.data(), n, scratch.data());
    Poly out(n, limbs), residue(n, 1);
    for (size_t i = 0; i < limbs; ++i) {
        const Modulus& q = ring.modulus(i);
        conversion.finish(i, n, scratch.data(), residue.limb(0));
        k.ntt_forward(ring.table(i), residue.limb(0), residue.limb(0));
        k.subtract_multiply(q, poly.limb(i), residue.limb(0), ring.inverse_special_product(i),
                            out.limb(i), n);
        if (addend != nullptr) k.add(q, out.limb(i), addend->limb(i), out.limb(i), n);
    }
    return out;
}

}  // namespace ward::he::internal
