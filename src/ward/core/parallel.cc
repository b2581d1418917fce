#include "ward/core/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "ward/core/error.h"

namespace ward {
namespace {

int allowed_processors() {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
    return std::max(1u, std::thread::hardware_concurrency());
}

std::atomic<int>& thread_count() {
    static std::atomic<int> count{allowed_processors()};
    return count;
}

thread_local bool inside_body = false;

}  // namespace

int num_threads() { return thread_count(); }

void set_num_threads(int threads) {
    if (threads < 1 || threads > 1024) {
        throw Error(ErrorCode::kUsage,
                    "threads must be between 1 and 1024, got " + std::to_string(threads));
    }
    thread_count() = threads;
}

// Threads live for one call. Starting one costs about 15 us, little against the ranges this is used
// for, and no idle pool has to survive fork().
void parallel_for(int64_t begin, int64_t end, int64_t grain,
                  const std::function<void(int64_t, int64_t)>& body) {
    const int64_t items = end - begin;
    if (items <= 0) return;
    const int64_t most_parts =
        (items + std::max<int64_t>(grain, 1) - 1) / std::max<int64_t>(grain, 1);
    const int64_t parts = inside_body ? 1 : std::min<int64_t>(num_threads(), most_parts);
    if (parts == 1) {
        body(begin, end);
        return;
    }
    std::exception_ptr failure;
    std::mutex failure_mutex;
    const auto run_part = [&](int64_t part) {
        inside_body = true;
        try {
            body(begin + items * part / parts, begin + items * (part + 1) / parts);
        } catch (...) {
            const std::lock_guard lock(failure_mutex);
            if (!failure) failure = std::current_exception();
        }
        inside_body = false;
    };
    {
        std::vector<std::jthread> threads;
        for (int64_t part = 1; part < parts; ++part) threads.emplace_back(run_part, part);
        run_part(0);
    }
    if (failure) std::rethrow_exception(failure);
}

}  // namespace ward
