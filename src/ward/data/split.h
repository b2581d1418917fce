// Train and test parts of a set that comes in one piece.
//
// Every row (or every group: all rows of one person) is assigned by a hash of itself and a public
// seed, independently of all other rows. So adding or removing a person never moves another one to
// the other side, equal rows are never on both sides, and `train` and `evaluate` agree without
// writing anything down. The price: the parts have the wanted size in expectation only.
// Thread safety: free functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ward::data {

inline constexpr uint64_t kDefaultSplitSeed = 20260101;
inline constexpr double kDefaultTestFraction = 0.2;

struct SplitRows {
    std::vector<int64_t> train;
    std::vector<int64_t> test;
};

// Equal keys go to the same side. Throws Error kUsage unless 0 < test_fraction < 1.
SplitRows split_by_key(std::span<const uint64_t> keys, double test_fraction,
                       uint64_t seed = kDefaultSplitSeed);

// All rows with one group number go to the same side.
SplitRows split_by_group(std::span<const int64_t> groups, double test_fraction,
                         uint64_t seed = kDefaultSplitSeed);

// The first `most` rows of each group, in the order of the rows. Which rows of a group stay depends
// on no other group. Throws Error kUsage unless most >= 1.
std::vector<int64_t> first_rows_of_groups(std::span<const int64_t> groups, int64_t most);

// For sets without content to hash: by row number.
SplitRows split_by_row(int64_t rows, double test_fraction, uint64_t seed = kDefaultSplitSeed);

}  // namespace ward::data
