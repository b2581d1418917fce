// Pieces of private training on shares: values kept in bounds, and sums of squares by rows.
//
// Thread safety and security: as bits.h and multiply.h; verified with Security::kMalicious.
#pragma once

#include <span>

#include "ward/mpc/multiply.h"
#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

// max(-b, min(x, b)), element by element, with public bounds 0 < b < 2^62 of x.size() elements.
// Right unless x is within b of +-2^63, where it is b: no x of 64 bits, whoever has shared it,
// leaves the bounds. 9 rounds, 2 (15.5 + 5.3) + 10.8 bytes. Throws Error kUsage for another number
// of bounds.
SharedMatrix cap(Party& party, const SharedMatrix& x, const RingVector& bounds);

// Column k: the inner products of the rows of x and y of pair k, exact modulo 2^64. All pairs must
// have as many rows. 1 round and 8 bytes per row and pair (semi-honest).
SharedMatrix row_products(Party& party, std::span<const Product> pairs);

}  // namespace ward::mpc
