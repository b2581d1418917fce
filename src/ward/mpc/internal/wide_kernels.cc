#include "ward/mpc/internal/wide_kernels.h"

#include <algorithm>

#include "ward/core/cpu.h"

namespace ward::mpc::internal {
namespace {

Uint128 element(const WideRows& rows, size_t at) {
    const Uint128 high = rows.high != nullptr ? rows.high[at] : 0;
    return (high << 64) | rows.low[at];
}

}  // namespace

void wide_table_scalar(const WideRows& u, size_t u_count, const uint64_t* v, size_t v_stride,
                       size_t v_count, size_t length, Uint128* table) {
    constexpr size_t kBlock = 256;
    std::fill_n(table, u_count * v_count, Uint128{0});
    for (size_t begin = 0; begin < length; begin += kBlock) {
        const size_t end = std::min(length, begin + kBlock);
        for (size_t j = 0; j < u_count; ++j) {
            for (size_t k = 0; k < v_count; ++k) {
                Uint128 sum = 0;
                for (size_t i = begin; i < end; ++i) {
                    sum += element(u, j * u.stride + i) * v[k * v_stride + i];
                }
                table[j * v_count + k] += sum;
            }
        }
    }
}

void wide_fold_scalar(const uint64_t* factors, const WideRows& u, size_t count, size_t length,
                      Uint128* out) {
    std::fill_n(out, length, Uint128{0});
    for (size_t j = 0; j < count; ++j) {
        for (size_t i = 0; i < length; ++i) out[i] += element(u, j * u.stride + i) * factors[j];
    }
}

#if !defined(__x86_64__)
bool has_wide_ifma() { return false; }
void wide_table_ifma(const WideRows& u, size_t u_count, const uint64_t* v, size_t v_stride,
                     size_t v_count, size_t length, Uint128* table) {
    wide_table_scalar(u, u_count, v, v_stride, v_count, length, table);
}
void wide_fold_ifma(const uint64_t* factors, const WideRows& u, size_t count, size_t length,
                    Uint128* out) {
    wide_fold_scalar(factors, u, count, length, out);
}
#else
bool has_wide_ifma() {
    static const bool yes = isa() == Isa::kAvx512 && cpu_features().avx512_ifma;
    return yes;
}
#endif

void wide_table(const WideRows& u, size_t u_count, const uint64_t* v, size_t v_stride,
                size_t v_count, size_t length, Uint128* table) {
    const auto kernel = has_wide_ifma() ? wide_table_ifma : wide_table_scalar;
    kernel(u, u_count, v, v_stride, v_count, length, table);
}

void wide_fold(const uint64_t* factors, const WideRows& u, size_t count, size_t length,
               Uint128* out) {
    const auto kernel = has_wide_ifma() ? wide_fold_ifma : wide_fold_scalar;
    kernel(factors, u, count, length, out);
}

}  // namespace ward::mpc::internal
