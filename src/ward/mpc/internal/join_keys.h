// Checks of shared keys, which an owner may have made up (join.h, learn/shared_job.h). What is
// opened here says something about the one owner that is checked, and nothing if it is honest.
//
// Security: as bits.h, verified with Security::kMalicious. Thread safety: as Party.
#pragma once

#include <span>
#include <string>

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc::internal {

// First hashes are in [0, 2^kHashBits).
inline constexpr int kHashBits = 58;

// [x == 0], for any x. Two comparisons and an AND per value.
SharedBits is_zero(Party& party, const SharedMatrix& x);

// Bits begin, ..., begin + count - 1. Local.
SharedBits part_of_bits(const SharedBits& x, size_t begin, size_t count);

// One bit: [all are 1], of one bit or more. log2 of their number rounds.
SharedBits all_of(Party& party, SharedBits bits);

// For each i with `run` bits behind it: [x[i], ..., x[i + run - 1] are all 1]. x has at least `run`
// bits, and run >= 1.
SharedBits runs_of_ones(Party& party, const SharedBits& x, size_t run);

// Throws Error kInvalid unless the first hashes (column 0) of each table are in range and differ;
// the message names the table, by its owner if there are `owners`. A table in the order of its
// hashes costs two comparisons per row; another one is sorted for this, by itself.
void require_own_hashes(Party& party, std::span<const SharedMatrix> tables,
                        std::span<const std::string> owners = {});

}  // namespace ward::mpc::internal
