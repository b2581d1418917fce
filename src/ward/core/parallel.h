// One pool of threads for the Torch-free modules.
#pragma once

#include <cstdint>
#include <functional>

namespace ward {

// Threads used by parallel_for, at first the number of processors this process may run on.
int num_threads();
void set_num_threads(int threads);  // Throws Error kUsage unless 1 <= threads <= 1024.

// Calls body(first, last) for disjoint ranges that cover [begin, end), each of at least `grain`
// items but the last. Ranges depend on (begin, end, grain, num_threads) only. A call from inside a
// body runs on the calling thread. The first exception of a body is rethrown after all have ended.
// Thread-safe.
void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  const std::function<void(int64_t, int64_t)>& body);

}  // namespace ward
