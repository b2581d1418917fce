// Largest elements, softmax and the gradient of the cross-entropy, row by row on shares.
#pragma once

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

// The largest element of each row (rows x 1), |x| < 2^14. All pairs of columns are compared at
// once, so it takes 7 + ceil(log2(cols - 1)) rounds and about 4 cols^2 bytes per row and party: for
// up to some 50 columns.
SharedMatrix row_max(Party& party, const SharedMatrix& x);

// exp(x_ij - max_i) / sum of the row; error below 2^-12; for up to 64 columns. |x| < 2^13.
SharedMatrix softmax(Party& party, const SharedMatrix& x);

// 1 / (1 + exp(-x)); error below 2^-14.
SharedMatrix sigmoid(Party& party, const SharedMatrix& x);

}  // namespace ward::mpc
