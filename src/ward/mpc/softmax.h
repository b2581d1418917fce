// Largest elements, softmax and the gradient of the cross-entropy, row by row on shares.
#pragma once

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

// The largest element of each row (rows x 1), |x| < 2^14. Up to 16 columns, all pairs are compared
// at once: 7 + ceil(log2(cols - 1)) rounds and about 4 cols^2 bytes per row and party. Above, by
// knock-out (max_pool.h): 7 rounds for each of log2 cols levels, 18 cols bytes.
SharedMatrix row_max(Party& party, const SharedMatrix& x);

inline constexpr size_t kMaxSoftmaxColumns = 4096;

// exp(x_ij - max_i) / sum of the row; error below 2^-12; for up to 4096 columns. |x| < 2^13. Throws
// Error kUsage for more.
SharedMatrix softmax(Party& party, const SharedMatrix& x);

// 1 / (1 + exp(-x)); error below 2^-14.
SharedMatrix sigmoid(Party& party, const SharedMatrix& x);

// Above so many columns sums are too large for the table of 1 / x, and the ladder is taken
// (functions.h).
inline constexpr size_t kMaxTableColumns = 64;

}  // namespace ward::mpc
