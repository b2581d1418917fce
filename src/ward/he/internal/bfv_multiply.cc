#include "ward/he/internal/bfv_multiply.h"

#include <cstring>

#include "ward/he/internal/evaluate.h"

namespace ward::he::internal {
namespace {

std::vector<const uint64_t*> rows_of(const Poly& poly, size_t first, size_t last) {
    std::vector<const uint64_t*> rows;
    for (size_t i = first; i < last; ++i) rows.push_back(poly.limb(i));
    return rows;
}

size_t prime_of(const Ring& ring, size_t limbs, size_t row) {
    return row < limbs ? row : ring.auxiliary(row - limbs);
}

// The same centred polynomial over data and auxiliary primes, transformed.
Poly extend(const Ring& ring, const Poly& poly) {
    const Kernels& k = kernels();
    const size_t n = ring.degree(), limbs = poly.limbs();
    const BaseConversion& conversion = ring.data_to_auxiliary(limbs);
    Poly coefficients(n, limbs), out(n, limbs + ring.auxiliary_count());
    for (size_t i = 0; i < limbs; ++i) {
        std::memcpy(out.limb(i), poly.limb(i), n * sizeof(uint64_t));
        k.ntt_inverse(ring.table(i), poly.limb(i), coefficients.limb(i));
    }
    std::vector<uint64_t*> targets;
    for (size_t i = 0; i < ring.auxiliary_count(); ++i) targets.push_back(out.limb(limbs + i));
    conversion.convert(rows_of(coefficients, 0, limbs).data(), n, targets.data());
    for (size_t i = 0; i < ring.auxiliary_count(); ++i) {
        k.ntt_forward(ring.table(ring.auxiliary(i)), targets[i], targets[i]);
    }
    return out;
}

std::vector<Poly> tensor_extended(const Ring& ring, size_t limbs, const std::vector<Poly>& a,
                                  const std::vector<Poly>& b) {
    const Kernels& k = kernels();
    const size_t n = ring.degree();
    std::vector<Poly> out;
    for (int i = 0; i < 3; ++i) out.emplace_back(n, a[0].limbs());
    for (size_t row = 0; row < a[0].limbs(); ++row) {
        const Modulus& q = ring.modulus(prime_of(ring, limbs, row));
        k.multiply(q, a[0].limb(row), b[0].limb(row), out[0].limb(row), n);
        const uint64_t* left[] = {a[0].limb(row), a[1].limb(row)};
        const uint64_t* right[] = {b[1].limb(row), b[0].limb(row)};
        k.inner_product(q, left, right, 2, out[1].limb(row), n);
        k.multiply(q, a[1].limb(row), b[1].limb(row), out[2].limb(row), n);
    }
    return out;
}

// round(t/Q x) = (t x - u) / Q with u = t x mod Q, centred: computed modulo the auxiliary primes,
// then brought back to the data primes.
Poly scale_and_round(const Ring& ring, Poly x, size_t limbs) {
    const Kernels& k = kernels();
    const size_t n = ring.degree();
    const uint64_t t = ring.plaintext_table().modulus().value();
    for (size_t row = 0; row < x.limbs(); ++row) {
        const NttTable& table = ring.table(prime_of(ring, limbs, row));
        const Modulus& q = table.modulus();
        k.ntt_inverse(table, x.limb(row), x.limb(row));
        k.multiply_factor(q, x.limb(row), q.factor(q.reduce64(t)), x.limb(row), n);
    }
    Poly remainder(n, ring.auxiliary_count()), out(n, limbs);
    std::vector<uint64_t*> targets;
    for (size_t i = 0; i < remainder.limbs(); ++i) targets.push_back(remainder.limb(i));
    ring.data_to_auxiliary(limbs).convert(rows_of(x, 0, limbs).data(), n, targets.data());
    for (size_t i = 0; i < remainder.limbs(); ++i) {
        k.subtract_multiply(ring.modulus(ring.auxiliary(i)), x.limb(limbs + i), remainder.limb(i),
                            ring.inverse_data_product(limbs, i), x.limb(limbs + i), n);
    }
    targets.assign(ring.data_count(), nullptr);
    for (size_t i = 0; i < limbs; ++i) targets[i] = out.limb(i);
    ring.auxiliary_to_data().convert(rows_of(x, limbs, x.limbs()).data(), n, targets.data());
    for (size_t i = 0; i < limbs; ++i) k.ntt_forward(ring.table(i), out.limb(i), out.limb(i));
    return out;
}

}  // namespace

std::vector<Poly> bfv_product(const Ring& ring, const std::vector<Poly>& a,
                              const std::vector<Poly>& b) {
    const size_t limbs = a[0].limbs();
    const std::vector<Poly> x{extend(ring, a[0]), extend(ring, a[1])};
    std::vector<Poly> product;
    if (&a == &b) {
        product = tensor_extended(ring, limbs, x, x);
    } else {
        product = tensor_extended(ring, limbs, x, {extend(ring, b[0]), extend(ring, b[1])});
    }
    std::vector<Poly> out;
    for (Poly& part : product) out.push_back(scale_and_round(ring, std::move(part), limbs));
    return out;
}

}  // namespace ward::he::internal
