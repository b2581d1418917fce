// Plain loops, compiled once for every processor and once for AVX-512, chosen at run time:
//
//   WARD_LOOP void add_loop(const Ring* a, Ring* out, size_t n) { for (...) out[i] += a[i]; }
//   run_loop<add_loop>(a, out, n);
//
// A loop has no branch on its data, so the compiler makes vectors of it; both variants compute the
// same integers.
#pragma once

#include <cstddef>

#include "ward/core/cpu.h"

#define WARD_LOOP __attribute__((always_inline)) static inline

namespace ward::mpc::internal {

#if defined(__x86_64__)
template <auto kLoop, typename... Args>
__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl"))) void run_loop_avx512(Args... args) {
    kLoop(args...);
}
#endif

template <auto kLoop, typename... Args>
void run_loop(Args... args) {
#if defined(__x86_64__)
    if (isa() == Isa::kAvx512) return run_loop_avx512<kLoop>(args...);
#endif
    kLoop(args...);
}

}  // namespace ward::mpc::internal
