#include "ward/mpc/internal/wide_kernels.h"

#include <algorithm>

#include "ward/core/cpu.h"

namespace ward::mpc::internal {
namespace {

constexpr Uint128 kNarrowMask = (Uint128{1} << kNarrowBits) - 1;

Uint128 element(const WideRows& rows, size_t j, size_t i) {
    const Uint128 high = rows.high != nullptr ? rows.high_of(j)[i] : 0;
    return (high << 64) | rows.low_of(j)[i];
}

void wide_table_portable(const WideRows& u, size_t u_count, const WideRows& v, size_t v_count,
                         size_t length, Uint128* table) {
    constexpr size_t kBlock = 256;
    std::fill_n(table, u_count * v_count, Uint128{0});
    for (size_t begin = 0; begin < length; begin += kBlock) {
        const size_t end = std::min(length, begin + kBlock);
        for (size_t j = 0; j < u_count; ++j) {
            for (size_t k = 0; k < v_count; ++k) {
                Uint128 sum = 0;
                for (size_t i = begin; i < end; ++i) {
                    sum += element(u, j, i) * v.low_of(k)[i];
                }
                table[j * v_count + k] += sum;
            }
        }
    }
}

void narrow_table_portable(const WideRows& u, size_t u_count, const WideRows& v, size_t v_count,
                           size_t length, Uint128* table) {
    wide_table_portable(u, u_count, v, v_count, length, table);
    for (size_t i = 0; i < u_count * v_count; ++i) table[i] &= kNarrowMask;
}

void full_table_portable(const Uint128* u, const Uint128* v, size_t count, size_t length,
                         Uint128* table) {
    for (size_t j = 0; j < count; ++j) {
        for (size_t k = 0; k < count; ++k) {
            Uint128 sum = 0;
            for (size_t i = 0; i < length; ++i) sum += u[j * length + i] * v[k * length + i];
            table[j * count + k] = sum;
        }
    }
}

void full_fold_portable(const Uint128* factors, const Uint128* pieces, size_t count, size_t length,
                        Uint128* out) {
    for (size_t i = 0; i < length; ++i) {
        Uint128 sum = 0;
        for (size_t j = 0; j < count; ++j) {
            sum += static_cast<uint64_t>(factors[j]) * pieces[j * length + i];
        }
        out[i] = sum;
    }
}

void wide_fold_portable(const uint64_t* factors, const WideRows& u, size_t count, size_t length,
                        Uint128* out) {
    std::fill_n(out, length, Uint128{0});
    for (size_t j = 0; j < count; ++j) {
        for (size_t i = 0; i < length; ++i) out[i] += element(u, j, i) * factors[j];
    }
}

void narrow_fold_portable(const uint64_t* factors, const WideRows& u, size_t count, size_t length,
                          int shift, Uint128* out) {
    wide_fold_portable(factors, u, count, length, out);
    for (size_t i = 0; i < length; ++i) out[i] = (out[i] & kNarrowMask) << shift;
}

void scale_narrow_portable(const uint64_t* factors, const uint64_t* u, size_t count,
                           uint64_t* out) {
    for (size_t i = 0; i < count; ++i) out[i] = factors[i] * u[i];
}

void scale_wide_portable(const uint64_t* factors, const uint64_t* u, size_t count, uint64_t* out,
                         uint64_t* high) {
    for (size_t i = 0; i < count; ++i) {
        const Uint128 product = Uint128{factors[i]} * u[i];
        out[i] = static_cast<uint64_t>(product);
        high[i] = static_cast<uint64_t>(product >> 64);
    }
}

}  // namespace

const WideKernels& portable_wide_kernels() {
    static constexpr WideKernels kKernels = {
        wide_table_portable, narrow_table_portable, full_table_portable,   full_fold_portable,
        wide_fold_portable,  narrow_fold_portable,  scale_narrow_portable, scale_wide_portable};
    return kKernels;
}

#if !defined(__x86_64__)
const WideKernels* ifma_wide_kernels() { return nullptr; }
#endif

const WideKernels& wide_kernels() {
    static const WideKernels& kernels =
        ifma_wide_kernels() != nullptr ? *ifma_wide_kernels() : portable_wide_kernels();
    return kernels;
}

}  // namespace ward::mpc::internal
