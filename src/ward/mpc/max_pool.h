// Largest values of windows, on shares, and the way of a gradient back through them.
//
// A knock-out tournament: windows of k values take k - 1 comparisons and selections in
// ceil(log2 k) rounds of 7 exchanges. Of equal values the first one wins.
//
// Cost per window of k values and party: (k - 1) 18 bytes semi-honest; the way back (k - 1) 10.7
// bytes. Security: comparisons and selections of bits.h, so verified with Security::kMalicious.
// Thread safety: as Party.
#pragma once

#include <span>
#include <vector>

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

// Who won: for every level of the tournament one bit per pair and value, [left >= right].
struct Tournament {
    std::vector<SharedBits> levels;
    size_t entries = 0;
};

// The element-wise largest of matrices of one shape, |x| < 2^14 with 16 fraction bits. Throws Error
// kUsage for none or for different shapes.
struct LargestResult {
    SharedMatrix value;
    Tournament tournament;
};
LargestResult largest(Party& party, std::vector<SharedMatrix> entries);

// `value` at the entry that won and 0 at all others.
std::vector<SharedMatrix> to_winner(Party& party, const Tournament& tournament,
                                    const SharedMatrix& value);

}  // namespace ward::mpc
