#include <cstring>

#include "ward/he/internal/kernels.h"
#include "ward/he/internal/loops.h"

namespace ward::he::internal {
namespace {

// Cooley-Tukey levels of stride n/2 .. 1. Values stay below 8q: an upper input is brought below 4q,
// the product is below 2q.
void ntt_forward(const NttTable& table, const uint64_t* in, uint64_t* out) {
    const Modulus q = table.modulus();
    const size_t n = table.degree();
    const uint64_t q2 = 2 * q.value(), q4 = 4 * q.value();
    if (in != out) std::memcpy(out, in, n * sizeof(uint64_t));
    for (size_t blocks = 1, stride = n / 2; blocks < n; blocks *= 2, stride /= 2) {
        for (size_t b = 0; b < blocks; ++b) {
            const Factor w{table.roots()[blocks + b], table.root_quotients()[blocks + b]};
            uint64_t* upper = out + 2 * b * stride;
            uint64_t* lower = upper + stride;
            for (size_t i = 0; i < stride; ++i) {
                const uint64_t x = subtract_if_not_below(upper[i], q4);
                const uint64_t y = q.multiply_lazy(lower[i], w);
                upper[i] = x + y;
                lower[i] = x + q2 - y;
            }
        }
    }
    for (size_t i = 0; i < n; ++i) {
        const uint64_t x = subtract_if_not_below(subtract_if_not_below(out[i], q4), q2);
        out[i] = subtract_if_not_below(x, q.value());
    }
}

// Gentleman-Sande levels of stride 1 .. n/2; values stay below 2q.
void ntt_inverse(const NttTable& table, const uint64_t* in, uint64_t* out) {
    const Modulus q = table.modulus();
    const size_t n = table.degree();
    const uint64_t q2 = 2 * q.value();
    if (in != out) std::memcpy(out, in, n * sizeof(uint64_t));
    for (size_t blocks = n / 2, stride = 1; blocks > 1; blocks /= 2, stride *= 2) {
        for (size_t b = 0; b < blocks; ++b) {
            const Factor w{table.inverse_roots()[blocks + b],
                           table.inverse_root_quotients()[blocks + b]};
            uint64_t* upper = out + 2 * b * stride;
            uint64_t* lower = upper + stride;
            for (size_t i = 0; i < stride; ++i) {
                const uint64_t x = upper[i], y = lower[i];
                upper[i] = subtract_if_not_below(x + y, q2);
                lower[i] = q.multiply_lazy(x + q2 - y, w);
            }
        }
    }
    for (size_t i = 0; i < n / 2; ++i) {
        const uint64_t x = out[i], y = out[i + n / 2];
        out[i] = q.multiply(x + y, table.inverse_degree());
        out[i + n / 2] = q.multiply(x + q2 - y, table.last_inverse_root());
    }
}

void add(const Modulus& q, const uint64_t* a, const uint64_t* b, uint64_t* out, size_t n) {
    for (size_t i = 0; i < n; ++i) out[i] = q.add(a[i], b[i]);
}

void subtract(const Modulus& q, const uint64_t* a, const uint64_t* b, uint64_t* out, size_t n) {
    for (size_t i = 0; i < n; ++i) out[i] = q.subtract(a[i], b[i]);
}

void negate(const Modulus& q, const uint64_t* a, uint64_t* out, size_t n) {
    for (size_t i = 0; i < n; ++i) out[i] = q.negate(a[i]);
}

void multiply(const Modulus& q, const uint64_t* a, const uint64_t* b, uint64_t* out, size_t n) {
    for (size_t i = 0; i < n; ++i) out[i] = q.multiply(a[i], b[i]);
}

void multiply_add(const Modulus& q, const uint64_t* a, const uint64_t* b, const uint64_t* addend,
                  uint64_t* out, size_t n) {
    for (size_t i = 0; i < n; ++i) out[i] = q.add(addend[i], q.multiply(a[i], b[i]));
}

void multiply_factor(const Modulus& q, const uint64_t* a, Factor w, uint64_t* out, size_t n) {
    for (size_t i = 0; i < n; ++i) out[i] = q.multiply(a[i], w);
}

void subtract_multiply(const Modulus& q, const uint64_t* a, const uint64_t* b, Factor w,
                       uint64_t* out, size_t n) {
    for (size_t i = 0; i < n; ++i) out[i] = q.multiply(a[i] + q.value() - b[i], w);
}

void shift_reduce(const Modulus& q, const uint64_t* a, uint64_t shift, uint64_t* out, size_t n) {
    for (size_t i = 0; i < n; ++i) out[i] = q.reduce(a[i] + shift);
}

uint64_t reduce_sum(const Modulus& q, Uint128 sum) {
    // sum < 2^11 2^52 2^49: the part above 2^52 is folded once more.
    const auto low = static_cast<uint64_t>(sum) & kMask52;
    const uint64_t high = q.reduce64(static_cast<uint64_t>(sum >> 52));
    return q.reduce_wide(low, high);
}

void inner_product(const Modulus& q, const uint64_t* const* x, const uint64_t* const* y,
                   size_t count, uint64_t* out, size_t n) {
    for (size_t i = 0; i < n; ++i) {
        Uint128 sum = 0;
        for (size_t d = 0; d < count; ++d) sum += static_cast<Uint128>(x[d][i]) * y[d][i];
        out[i] = reduce_sum(q, sum);
    }
}

void inner_product_pair(const Modulus& q, const uint64_t* const* x, const uint64_t* const* y0,
                        const uint64_t* const* y1, size_t count, uint64_t* out0, uint64_t* out1,
                        size_t n) {
    inner_product(q, x, y0, count, out0, n);
    inner_product(q, x, y1, count, out1, n);
}

void linear_combination(const Modulus& q, const uint64_t* const* x, const uint64_t* scalars,
                        size_t count, uint64_t* out, size_t n) {
    for (size_t i = 0; i < n; ++i) {
        Uint128 sum = 0;
        for (size_t d = 0; d < count; ++d) sum += static_cast<Uint128>(x[d][i]) * scalars[d];
        out[i] = reduce_sum(q, sum);
    }
}

void rounded_sum(const uint64_t* const* x, const double* inverses, size_t count, uint64_t* out,
                 size_t n) {
    for (size_t i = 0; i < n; ++i) {
        double sum = 0.5;
        for (size_t d = 0; d < count; ++d) sum += static_cast<double>(x[d][i]) * inverses[d];
        out[i] = static_cast<uint64_t>(sum);
    }
}

void gather(const uint64_t* in, const uint32_t* places, uint64_t* out, size_t n) {
    for (size_t i = 0; i < n; ++i) out[i] = in[places[i]];
}

size_t accept_uniform(const Modulus& q, const uint64_t* words, size_t count, uint64_t* out,
                      size_t wanted) {
    const uint64_t mask = (uint64_t{1} << q.bits()) - 1;
    size_t found = 0;
    for (size_t i = 0; i < count && found < wanted; ++i) {
        const uint64_t candidate = words[i] & mask;
        if (candidate < q.value()) out[found++] = candidate;
    }
    return found;
}

void reduce_signed(const Modulus& q, const int64_t* x, uint64_t* out, size_t n) {
    for (size_t i = 0; i < n; ++i) out[i] = q.reduce_signed(x[i]);
}

void invert_gaussian(const int64_t* thresholds, int64_t* values, size_t n) {
    invert_gaussian_loop(thresholds, values, n);
}

void small_to_residues(const int64_t* x, int64_t q, uint64_t* out, size_t n) {
    small_to_residues_loop(x, q, out, n);
}

void fft_level(bool inverse, size_t n, size_t half, const double* w_re, const double* w_im,
               double* re, double* im) {
    fft_level_any(inverse, n, half, w_re, w_im, re, im);
}

void round_scaled(const double* x, double scale, int64_t* out, size_t n) {
    round_scaled_loop(x, scale, out, n);
}

}  // namespace

const Kernels& scalar_kernels() {
    static constexpr Kernels kTable{ntt_forward,        ntt_inverse,     add,
                                    subtract,           negate,          multiply,
                                    multiply_add,       multiply_factor, subtract_multiply,
                                    shift_reduce,       inner_product,   inner_product_pair,
                                    linear_combination, rounded_sum,     gather,
                                    accept_uniform,     reduce_signed,   invert_gaussian,
                                    small_to_residues,  fft_level,       round_scaled};
    return kTable;
}

}  // namespace ward::he::internal
