// The field GF(2^64) = GF(2)[t] / (t^64 + t^4 + t^3 + t + 1), for checks of shared bits.
//
// By PCLMULQDQ where the processor has it; portable code gives the same results. Thread safety:
// free functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ward::mpc::internal {

// Products before reduction: two words of a polynomial of degree below 128.
struct Gf64Wide {
    uint64_t low = 0;
    uint64_t high = 0;
};

uint64_t gf64_reduce(Gf64Wide wide);
uint64_t gf64_multiply(uint64_t a, uint64_t b);

// sum of a[i] b[i].
uint64_t gf64_dot(const uint64_t* a, const uint64_t* b, size_t count);
// out[i] = sum over j of factors[j] pieces[j length + i]; `out` may be `pieces`.
void gf64_combine(const uint64_t* factors, const uint64_t* pieces, size_t count, size_t length,
                  uint64_t* out);
// table[j count + k] = sum over i of u[j length + i] v[k length + i].
void gf64_table(const uint64_t* u, const uint64_t* v, size_t count, size_t length, uint64_t* table);
// values[i] *= factor.
void gf64_scale(uint64_t factor, uint64_t* values, size_t count);
// values[i] *= factors[i].
void gf64_scale_each(const uint64_t* factors, uint64_t* values, size_t count);

// The portable product, for tests.
uint64_t gf64_multiply_portable(uint64_t a, uint64_t b);

}  // namespace ward::mpc::internal
