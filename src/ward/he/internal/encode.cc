#include "ward/he/internal/encode.h"

#include <algorithm>

#include "ward/he/internal/rlwe.h"

namespace ward::he::internal {

Poly encode_rows(const Ring& ring, const Embedding& embedding, Slots slots, double scale,
                 size_t limbs, bool with_special) {
    const Kernels& k = kernels();
    const size_t n = ring.degree(), period = embedding.slots(), gap = n / 2 / period;
    embedding.to_coefficients(slots.re, slots.im);
    Buffer buffer(n), packed(2 * period);
    buffer.fill_zero();
    auto* integers = reinterpret_cast<int64_t*>(buffer.data());
    auto* rounded = reinterpret_cast<int64_t*>(packed.data());
    k.round_scaled(slots.re.data(), scale, rounded, period);
    k.round_scaled(slots.im.data(), scale, rounded + period, period);
    for (size_t i = 0; i < 2 * period; ++i) integers[i * gap] = rounded[i];
    Poly out(n, limbs + (with_special ? ring.special_count() : 0));
    for (size_t row = 0; row < out.limbs(); ++row) {
        const NttTable& table = ring.table(prime_of_row(ring, limbs, row));
        k.reduce_signed(table.modulus(), integers, out.limb(row), n);
        k.ntt_forward(table, out.limb(row), out.limb(row));
    }
    return out;
}

}  // namespace ward::he::internal
