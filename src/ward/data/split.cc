#include "ward/data/split.h"

#include <string>
#include <unordered_map>

#include "ward/core/error.h"
#include "ward/data/internal/hash.h"

namespace ward::data {
namespace {

template <typename KeyOf>
SplitRows split(size_t rows, double test_fraction, uint64_t seed, KeyOf key_of) {
    if (!(test_fraction > 0) || !(test_fraction < 1)) {
        throw Error(ErrorCode::kUsage,
                    "test fraction must be between 0 and 1, got " + std::to_string(test_fraction));
    }
    SplitRows out;
    for (size_t i = 0; i < rows; ++i) {
        const uint64_t key = key_of(i);
        const uint64_t hash = internal::hash_bytes(&key, sizeof(key), seed);
        const double position = static_cast<double>(hash >> 11) * 0x1p-53;  // uniform in [0, 1)
        (position < test_fraction ? out.test : out.train).push_back(static_cast<int64_t>(i));
    }
    return out;
}

}  // namespace

SplitRows split_by_key(std::span<const uint64_t> keys, double test_fraction, uint64_t seed) {
    return split(keys.size(), test_fraction, seed, [&](size_t i) { return keys[i]; });
}

SplitRows split_by_group(std::span<const int64_t> groups, double test_fraction, uint64_t seed) {
    return split(groups.size(), test_fraction, seed,
                 [&](size_t i) { return static_cast<uint64_t>(groups[i]); });
}

std::vector<int64_t> first_rows_of_groups(std::span<const int64_t> groups, int64_t most) {
    if (most < 1) {
        throw Error(ErrorCode::kUsage,
                    "rows of one group must be at least 1, got " + std::to_string(most));
    }
    std::unordered_map<int64_t, int64_t> seen;
    std::vector<int64_t> rows;
    for (size_t i = 0; i < groups.size(); ++i)
        if (++seen[groups[i]] <= most) rows.push_back(static_cast<int64_t>(i));
    return rows;
}

SplitRows split_by_row(int64_t rows, double test_fraction, uint64_t seed) {
    return split(static_cast<size_t>(rows), test_fraction, seed,
                 [](size_t i) { return static_cast<uint64_t>(i); });
}

}  // namespace ward::data
