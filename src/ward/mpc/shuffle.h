// Rows in an order that no party knows, and public pieces of tables that go with it.
//
// Three passes (Laur, Willemson, Zhang, ISC 2011, with the resharing of this module): in each, two
// of the parties permute the rows by a permutation from their common key and share the result
// anew; the third sees nothing. Every party misses one of the three permutations.
//
// Cost: 3 rounds, 16 bytes per value and party. Security: one corrupt party; all messages are
// masked by a key that the receiver does not hold, and with Security::kMalicious they are verified
// (internal/verify_shuffles.h), which adds some bytes per row and keeps three copies until then. A
// party's memory accesses follow the permutations it knows: who watches its cache may learn those.
// Thread safety: as Party.
#pragma once

#include <span>

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

// The rows of x, whole, in a uniform order. Throws Error kUsage for 2^32 rows and more.
SharedMatrix shuffle_rows(Party& party, const SharedMatrix& x);

// ---- local

// Tables under one another: what several owners with the same columns bring (a horizontal union).
// Throws Error kUsage for none, or for different numbers of columns, naming both tables by their
// places from 0.
SharedMatrix stack_rows(std::span<const SharedMatrix> tables);
// Tables of as many rows beside one another.
SharedMatrix stack_columns(std::span<const SharedMatrix> tables);
// Columns first, ..., first + count - 1. Throws Error kUsage when there are not so many.
SharedMatrix select_columns(const SharedMatrix& x, size_t first, size_t count);

}  // namespace ward::mpc
