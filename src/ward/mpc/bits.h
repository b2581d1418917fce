// Shared bits: logic, comparison, and bits that steer numbers.
//
// XOR and NOT are local; an AND costs one bit per party and 1 round. Comparisons and `select` use
// that x = a + b with a known to one party and b to both others (internal/roles.h):
//
//   carry of a + b   The pivot cuts a into groups of 4 bits and deals, for each, the 15 bits
//                    [group >= 1], ..., [group >= 15]. To the others, who know b, "this group
//                    generates a carry" and "it passes one on" are entries of that list, chosen by
//                    b: linear, so they cost one exchange and no AND. A tree over the 16 groups
//                    (4 rounds) gives the carry. 6 rounds and 15.5 bytes per party for 63 bits; a
//                    ripple of ABY3's kind takes 38 bytes and 8 rounds.
//   bit times number m x with m = c ^ m2, c known to the pivot: two rounds, 10.7 bytes per party.
//
// Nothing here branches on shares. Security: semi-honest, one corrupt party; every message is
// masked by a key that its receiver does not hold. Thread safety: as Party.
#pragma once

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

// ---- logic

SharedBits bit_xor(const SharedBits& x, const SharedBits& y);
SharedBits bit_not(const Party& party, const SharedBits& x);
// Throws Error kUsage for different counts.
SharedBits bit_and(Party& party, const SharedBits& x, const SharedBits& y);

// ---- from numbers

// [x < 0]. `bits` says how many low bits of x hold its value with its sign: 64 for any x; k for
// -2^(k-1) <= x < 2^(k-1), which costs in proportion. With 16 fraction bits, 32 serves values below
// 32768. Throws Error kUsage unless 2 <= bits <= 64.
SharedBits is_negative(Party& party, const SharedMatrix& x, int bits = 64);

// [x >= 0].
SharedBits is_nonnegative(Party& party, const SharedMatrix& x, int bits = 64);

// [x >= end] for several public numbers; those of an end stand in words of their own, one end
// behind the other (`padded_bits`). `bits` holds for x, and without verification for its
// differences from the ends too. Throws Error kUsage for no ends or one that
// has more bits, and as `is_negative`.
SharedBits at_least(Party& party, const SharedMatrix& x, std::span<const Ring> ends, int bits);
inline size_t padded_bits(size_t count) { return words_for_bits(count) * 64; }

// The carry out of the lowest `bits` bits of the sum of x's two summands with respect to `pivot`;
// for protocols that work on the summands.
namespace internal {
SharedBits summand_carry(Party& party, int pivot, const SharedMatrix& x, int bits);
}

// ---- to numbers

// The bits as ring elements 0 and 1, in a matrix of this shape. 2 rounds, 8 bytes per party.
SharedMatrix to_ring(Party& party, const SharedBits& bits, size_t rows, size_t cols);

// x where the bit is 1 and 0 elsewhere, exactly. 2 rounds, 10.7 bytes per party.
SharedMatrix select(Party& party, const SharedBits& bits, const SharedMatrix& x);

// Sums of selected terms: out = sum over k of bits[k] terms[k], as many communicated values as for
// all terms in the first round, as for one in the second.
SharedMatrix select_sum(Party& party, std::span<const SharedBits> bits,
                        std::span<const SharedMatrix> terms);

// max(x, 0) and, for the way back, [x >= 0]. 8 rounds, 26.2 bytes per party with 64 bits, 18.5
// with 32.
struct ReluResult {
    SharedMatrix value;
    SharedBits active;
};
ReluResult relu(Party& party, const SharedMatrix& x, int bits = 64);

}  // namespace ward::mpc
