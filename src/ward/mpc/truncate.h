// Division of shared fixed-point numbers by 2^d, after a product.
//
// Both kinds round by dither: the result is floor((x + t) / 2^d) for a uniform t in [0, 2^d), so
// its expectation is x / 2^d exactly, its error is below one unit of the last place, and multiples
// of 2^d come out exactly.
//
// How: x = a + b mod 2^64, a known to one party (the pivot), b to both others, each uniform. They
// divide a and b locally. What is lost, the low bits of b, fixes the dither t; to the pivot, the
// low bits of a play that part (both descriptions give the same result).
//
// kExact (default). a + b wraps around 2^64 or does not, and whether it does would be an error of
// 2^(64-d). For -2^62 < x < 2^62 the value x + 2^62 has a clear top bit, so it wraps exactly when
// one of the top bits of a + 2^62 and b is set: one product of a bit of the pivot and a bit of the
// others, of which only the lowest d bits matter. The result is never off by more than the
// rounding.
//
//   What a party learns: the dither t of each result, which is uniform and independent of x, and
//   else only uniform values. So the protocol perfectly realises the functionality that draws t,
//   gives t to the corrupt party, and shares floor((x + t) / 2^d). A result that is opened later
//   tells with t that x lies in an interval of length 2^d, as the floor of a public-offset division
//   would; it does not tell more. (The complaint of Li et al., USENIX Security 2023, about
//   probabilistic truncation is that t is NOT independent of a party's view; here it is part of
//   the functionality instead of being claimed secret.)
//
//   Where t comes from: in a product, from fresh common randomness, always uniform. `truncate` of a
//   value uses the low bits of the part that its shares have, which are uniform for results of any
//   product, selection or division (by up to 2^48) and their sums and multiples. Values straight
//   from `share` or `share_public` have parts that are 0: their rounding is then in range, but may
//   be fixed instead of random (who knows such a part knows the value already, so nothing leaks).
//
//   Cost beside the product's 8 bytes: 1 round and 2 bytes per party for d <= 16 (3 messages of 2
//   bytes), 4 for d <= 32, 8 above.
//
// kFast. The wrap is left out (ABY3, CCS 2018, section 5.1.1): with probability |x| / 2^63 a result
// is off by 2^(64-d). For |x| < 2^40 that is 2^-23 per value: often enough to spoil a long
// training, so ask for it knowingly.
// With Security::kMalicious the division is another one, all of whose messages are verified. Each
// part is known to two parties, who divide its low 62 bits; the carries out of bit 61 follow from
// the two top bits of the parts, when |x| < 2^61 - 2^(d+1): with T their sum, the three low parts
// wrap -T mod 4 times, a verified product of bits and two conversions; d <= 60. The result is the
// sum of three roundings to the nearest: its mean is right within 2^-(d+1) units, less than 1.5
// units off, multiples of 2^d not always exact. A party knows two of the three dithers, which are
// uniform.
#pragma once

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

// x / 2^shift, 1 <= shift <= 62. Precondition: |x| < 2^62. kExact: 2 rounds, 14 to 32 bytes per
// value in all; kFast: 1 round, 8 bytes. Throws Error kUsage for another shift.
SharedMatrix truncate(Party& party, const SharedMatrix& x, int shift);

namespace internal {

// The same of a value whose additive parts the three parties hold (party i has part i), which makes
// this the end of a product: 1 round more, 16 bytes more in all.
void truncate_product(Party& party, const RingVector& part, int shift, RingVector& first,
                      RingVector& second);

}  // namespace internal
}  // namespace ward::mpc
