#include "ward/he/internal/bfv_scaling.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ward::he::internal {

BfvNoise bfv_noise(const Ring& ring) {
    return {ring.noise(), static_cast<double>(ring.plaintext_table().modulus().value())};
}

// round(Q m / t) = (Q m - r) / t with r = Q m mod t, centred; modulo a data prime Q m is 0.
Poly scale_up(const Ring& ring, const Poly& message, size_t limbs) {
    const Kernels& k = kernels();
    const size_t n = ring.degree();
    const Modulus& t = ring.plaintext_table().modulus();
    Poly remainder(n, 1), out(n, limbs);
    k.multiply_factor(t, message.limb(0), t.factor(ring.data_product_mod_plaintext(limbs)),
                      remainder.limb(0), n);
    k.shift_reduce(t, remainder.limb(0), t.value() / 2, remainder.limb(0), n);
    for (size_t i = 0; i < limbs; ++i) {
        const Modulus& q = ring.modulus(i);
        const uint64_t half = q.reduce64(t.value() / 2);
        const Factor scale = q.factor(q.negate(q.invert(q.reduce64(t.value()))));
        k.shift_reduce(q, remainder.limb(0), q.negate(half), out.limb(i), n);
        k.multiply_factor(q, out.limb(i), scale, out.limb(i), n);
        k.ntt_forward(ring.table(i), out.limb(i), out.limb(i));
    }
    return out;
}

namespace {

// t phase, whose centred residue modulo Q is Q times the invariant noise.
Poly times_plaintext_modulus(const Ring& ring, const Poly& phase) {
    const uint64_t t = ring.plaintext_table().modulus().value();
    Poly out(ring.degree(), phase.limbs());
    for (size_t i = 0; i < phase.limbs(); ++i) {
        const Modulus& q = ring.modulus(i);
        kernels().multiply_factor(q, phase.limb(i), q.factor(q.reduce64(t)), out.limb(i),
                                  ring.degree());
    }
    return out;
}

// log2 of a number over the product of the primes, from the digits of its mixed radix form
// (Garner).
double log2_fraction(const Ring& ring, std::vector<uint64_t>& residues) {
    double fraction = 0;
    for (size_t i = residues.size(); i-- > 0;) {
        const uint64_t digit = residues[i];
        fraction =
            (fraction + static_cast<double>(digit)) / static_cast<double>(ring.modulus(i).value());
        for (size_t j = 0; j < i; ++j) {
            const Modulus& m = ring.modulus(j);
            residues[j] =
                m.multiply(m.subtract(residues[j], m.reduce(digit)), ring.inverse_prime(i, j));
        }
    }
    return std::log2(fraction);
}

}  // namespace

// u = t phase mod Q, centred; (t phase - u) / Q = -u / Q modulo t.
Poly scale_down(const Ring& ring, const Poly& phase) {
    const size_t n = ring.degree(), limbs = phase.limbs();
    const Modulus& t = ring.plaintext_table().modulus();
    const Poly scaled = times_plaintext_modulus(ring, phase);
    const BaseConversion& conversion = ring.data_to_plaintext(limbs);
    std::vector<const uint64_t*> in;
    for (size_t i = 0; i < limbs; ++i) in.push_back(scaled.limb(i));
    Buffer scratch(conversion.scratch_words(n));
    conversion.prepare(in.data(), n, scratch.data());
    Poly out(n, 1);
    conversion.finish(0, n, scratch.data(), out.limb(0));
    kernels().multiply_factor(
        t, out.limb(0), ring.negated_inverse_data_product_mod_plaintext(limbs), out.limb(0), n);
    return out;
}

double largest_noise(const Ring& ring, const Poly& phase) {
    const size_t n = ring.degree(), limbs = phase.limbs();
    const Poly scaled = times_plaintext_modulus(ring, phase);
    std::vector<Modulus> moduli;
    for (size_t i = 0; i < limbs; ++i) moduli.push_back(ring.modulus(i));
    std::vector<double> fractions(n, 0);
    Buffer digits(n);
    for (size_t i = 0; i < limbs; ++i) {
        const Modulus& q = moduli[i];
        const Factor inverse = q.factor(q.invert(product_mod(moduli, q, i)));
        kernels().multiply_factor(q, scaled.limb(i), inverse, digits.data(), n);
        const double reciprocal = 1 / static_cast<double>(q.value());
        for (size_t j = 0; j < n; ++j) fractions[j] += static_cast<double>(digits[j]) * reciprocal;
    }
    double largest = 0;
    for (double f : fractions) largest = std::max(largest, std::abs(f - std::floor(f + 0.5)));
    return largest;
}

double noise_budget_of_phase(const Ring& ring, const Poly& phase) {
    if (largest_noise(ring, phase) > kLostNoise) return 0;
    const Poly scaled = times_plaintext_modulus(ring, phase);
    double largest = -ring.log2_data(phase.limbs());
    std::vector<uint64_t> residues(phase.limbs()), negated(phase.limbs());
    for (size_t j = 0; j < ring.degree(); ++j) {
        for (size_t i = 0; i < residues.size(); ++i) {
            residues[i] = scaled.limb(i)[j];
            negated[i] = ring.modulus(i).negate(residues[i]);
        }
        const double size = std::min(log2_fraction(ring, residues), log2_fraction(ring, negated));
        largest = std::max(largest, size);
    }
    return std::max(0.0, -1.0 - largest);
}

}  // namespace ward::he::internal
