// Work on the rows of a polynomial, on several threads where it is worth starting them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ward/core/parallel.h"

namespace ward::he::internal {

// Calls f(row) for every row of n words. f may run on several threads (ward::set_num_threads), not
// from within another parallel_for. Fewer than 2^17 words are done sooner than a thread starts.
template <typename F>
void for_rows(size_t rows, size_t n, F&& f) {
    if (rows * n < (size_t{1} << 17) || num_threads() == 1) {
        for (size_t row = 0; row < rows; ++row) f(row);
        return;
    }
    parallel_for(0, static_cast<int64_t>(rows), 1, [&](int64_t first, int64_t last) {
        for (int64_t row = first; row < last; ++row) f(static_cast<size_t>(row));
    });
}

}  // namespace ward::he::internal
