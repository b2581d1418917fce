// Linear operations, which are local, and products, which cost one ring element per party and
// output element whatever the inner length (Araki et al., CCS 2016; dot products as in Chida et
// al., CRYPTO 2018).
//
// Ring products (`multiply`, `matmul`) take 1 round. Fixed-point products divide by 2^16 (or any
// 2^d) in the same exchange: 2 rounds with Truncation::kFast, 3 with kExact (truncate.h).
//
// With Security::kMalicious the messages are recorded for verification, and a fixed-point product
// is the verified product followed by `truncate`.
//
// All functions throw Error kUsage for shapes that do not fit.
#pragma once

#include <span>
#include <vector>

#include "ward/mpc/fixed_point.h"
#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

// ---- local

SharedMatrix add(const SharedMatrix& x, const SharedMatrix& y);
SharedMatrix subtract(const SharedMatrix& x, const SharedMatrix& y);
SharedMatrix negate(const SharedMatrix& x);
// x + c in every element.
SharedMatrix add_public(const Party& party, const SharedMatrix& x, Ring constant);
// x times a ring element: by encode_constant(c) the result has 16 more fraction bits.
SharedMatrix scale(const SharedMatrix& x, Ring constant);
SharedMatrix transpose(const SharedMatrix& x);
// The row (1 x cols) of y added to each row of x.
SharedMatrix add_row(const SharedMatrix& x, const SharedMatrix& y);
SharedMatrix sum_rows(const SharedMatrix& x);     // 1 x cols
SharedMatrix sum_columns(const SharedMatrix& x);  // rows x 1
// Column x (rows x 1) repeated.
SharedMatrix repeat_column(const SharedMatrix& x, size_t cols);
// Rows of x in the given order.
SharedMatrix select_rows(const SharedMatrix& x, std::span<const size_t> rows);

// ---- with communication

// Element by element.
SharedMatrix multiply(Party& party, const SharedMatrix& x, const SharedMatrix& y);
SharedMatrix multiply_fixed(Party& party, const SharedMatrix& x, const SharedMatrix& y,
                            int shift = kFractionBits);

SharedMatrix matmul(Party& party, const SharedMatrix& x, const SharedMatrix& y);
SharedMatrix matmul_fixed(Party& party, const SharedMatrix& x, const SharedMatrix& y,
                          int shift = kFractionBits);

// Several independent products in the rounds of one: (x y + addend) / 2^shift, where the addend
// has the fraction bits of the product. Either the addend or both factors may be missing.
struct Product {
    const SharedMatrix* x = nullptr;
    const SharedMatrix* y = nullptr;
    const SharedMatrix* addend = nullptr;
};
std::vector<SharedMatrix> matmul_fixed(Party& party, std::span<const Product> products,
                                       int shift = kFractionBits);

namespace internal {

// From additive parts (party i has out.first) to a replicated sharing: each party masks its part by
// a common sharing of zero and passes it on. 1 round, 8 bytes per value and party. `record`, if
// any, gets the masks.
struct Reshared;
void reshare(Party& party, SharedMatrix& out, Reshared* record = nullptr);

// sum over k of xs[k] ys[k], element by element, in one resharing; verified with kMalicious. All
// shapes must be equal.
SharedMatrix sum_of_products(Party& party, std::span<const SharedMatrix* const> xs,
                             std::span<const SharedMatrix* const> ys);

}  // namespace internal
}  // namespace ward::mpc
