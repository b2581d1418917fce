#include "ward/he/internal/rlwe.h"

#include <cstring>

#include "ward/he/internal/rows.h"

namespace ward::he::internal {

Poly to_ntt(const Ring& ring, const SmallPoly& small, size_t limbs, bool with_special) {
    Poly out(ring.degree(), limbs + (with_special ? ring.special_count() : 0));
    out.secret();
    for_rows(out.limbs(), ring.degree(), [&](size_t row) {
        const NttTable& table = ring.table(prime_of_row(ring, limbs, row));
        small_to_residues(small, table.modulus(), out.limb(row));
        kernels().ntt_forward(table, out.limb(row), out.limb(row));
    });
    return out;
}

Poly phase(const Ring& ring, const std::vector<Poly>& parts, const Poly& secret, size_t limbs) {
    const Kernels& k = kernels();
    const size_t n = ring.degree();
    Poly out(n, limbs);
    for (size_t i = 0; i < limbs; ++i) {
        const Modulus& q = ring.modulus(i);
        // Horner: ((c2 s) + c1) s + c0
        std::memcpy(out.limb(i), parts.back().limb(i), n * sizeof(uint64_t));
        for (size_t p = parts.size() - 1; p > 0; --p) {
            k.multiply_add(q, out.limb(i), secret.limb(i), parts[p - 1].limb(i), out.limb(i), n);
        }
    }
    return out;
}

void add_in_place(const Ring& ring, Poly& a, const Poly& b) {
    for (size_t i = 0; i < a.limbs(); ++i) {
        kernels().add(ring.modulus(i), a.limb(i), b.limb(i), a.limb(i), ring.degree());
    }
}

void subtract_in_place(const Ring& ring, Poly& a, const Poly& b) {
    for (size_t i = 0; i < a.limbs(); ++i) {
        kernels().subtract(ring.modulus(i), a.limb(i), b.limb(i), a.limb(i), ring.degree());
    }
}

Poly drop_last(const Ring& ring, const Poly& poly) {
    const Kernels& k = kernels();
    const size_t n = ring.degree(), last = poly.limbs() - 1;
    const BaseConversion& conversion = ring.drop_conversion(last);
    Poly out(n, last);
    Poly remainder(n, 1), shifted(n, 1);
    k.ntt_inverse(ring.table(last), poly.limb(last), remainder.limb(0));
    const uint64_t* in[] = {remainder.limb(0)};
    conversion.prepare(in, n, shifted.limb(0));
    for_rows(last, n, [&](size_t i) {
        uint64_t* row = out.limb(i);
        conversion.finish(i, n, shifted.limb(0), row);
        k.ntt_forward(ring.table(i), row, row);
        k.subtract_multiply(ring.modulus(i), poly.limb(i), row, ring.inverse_prime(last, i), row,
                            n);
    });
    return out;
}

Poly permute(const Poly& poly, const std::vector<uint32_t>& places) {
    Poly out(poly.degree(), poly.limbs());
    for_rows(poly.limbs(), poly.degree(), [&](size_t i) {
        kernels().gather(poly.limb(i), places.data(), out.limb(i), poly.degree());
    });
    return out;
}

void inverse_transform(const Ring& ring, Poly& poly) {
    for_rows(poly.limbs(), ring.degree(),
             [&](size_t i) { kernels().ntt_inverse(ring.table(i), poly.limb(i), poly.limb(i)); });
}

void forward_transform(const Ring& ring, Poly& poly) {
    for_rows(poly.limbs(), ring.degree(),
             [&](size_t i) { kernels().ntt_forward(ring.table(i), poly.limb(i), poly.limb(i)); });
}

}  // namespace ward::he::internal
