// Pieces of private training on shares: values kept in bounds, and sums of squares by rows.
//
// Thread safety and security: as bits.h and multiply.h; verified with Security::kMalicious.
#pragma once

#include <span>

#include "ward/mpc/multiply.h"
#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

// max(-b, min(x, b)), element by element, with public bounds b > 0 of x.size() elements. Right for
// every |x| < 2^62, that is for whatever a division gives (its results are below 2^50). 8 rounds,
// 2 (15.5 + 5.3) + 10.7 bytes. Throws Error kUsage for another number of bounds.
SharedMatrix cap(Party& party, const SharedMatrix& x, const RingVector& bounds);

// Column k: the inner products of the rows of x and y of pair k, exact modulo 2^64. All pairs must
// have as many rows. 1 round and 8 bytes per row and pair (semi-honest).
SharedMatrix row_products(Party& party, std::span<const Product> pairs);

}  // namespace ward::mpc
