// Products whose results are added up where they overlap, before they are divided: the way of a
// gradient back through a convolution.
//
// matmul gives every position's share of every pixel; adding them up first is local, so only the
// sums are divided and sent: 10 bytes per pixel and party in place of 10 per pixel, position and
// row of the kernel. With Security::kMalicious the product itself is reshared and verified, then
// the sums are divided. Thread safety and security: as multiply.h.
#pragma once

#include <functional>

#include "ward/mpc/multiply.h"

namespace ward::mpc {

// A public linear map of vectors: writes out.size() elements.
using LinearMap = std::function<void(const RingVector& in, RingVector& out)>;

// map(x y) / 2^shift as a matrix of rows x cols. 3 rounds. Throws Error kUsage for shapes that do
// not fit.
SharedMatrix matmul_mapped_fixed(Party& party, const SharedMatrix& x, const SharedMatrix& y,
                                 const LinearMap& map, size_t rows, size_t cols, int shift);

}  // namespace ward::mpc
