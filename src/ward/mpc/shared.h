// Values that three parties hold together and none knows: replicated secret sharing over Z_2^64
// (numbers) and Z_2 (bits, 64 to a word). Araki, Furukawa, Lindell, Nof, Ohara, CCS 2016.
//
// A value x is x_0 + x_1 + x_2 mod 2^64 with uniform x_i; party i holds x_i ("first") and x_(i+1)
// ("second", indices mod 3). Any two of the three parts are independent of x. Numbers with a
// fraction are fixed-point: the ring element round(v 2^16), negative ones in two's complement.
//
// The objects below are ONE party's part. All three parties run the same program on their parts.
// Thread safety: value types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace ward::mpc {

using Ring = uint64_t;

// Leaves new elements unset: most vectors are overwritten at once, and clearing them first would
// cost as much as the arithmetic.
template <typename T>
struct UnsetAllocator : std::allocator<T> {
    template <typename U>
    struct rebind {
        using other = UnsetAllocator<U>;
    };
    template <typename U>
    void construct(U* at) {
        ::new (static_cast<void*>(at)) U;
    }
    template <typename U, typename... Args>
    void construct(U* at, Args&&... args) {
        ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...);
    }
};
using RingVector = std::vector<Ring, UnsetAllocator<Ring>>;

// A matrix in the clear, row-major.
struct RingMatrix {
    RingMatrix() = default;
    RingMatrix(size_t rows_, size_t cols_) : rows(rows_), cols(cols_), values(rows_ * cols_) {}

    size_t size() const { return values.size(); }

    size_t rows = 0;
    size_t cols = 0;
    RingVector values;
};

// One party's part of a matrix, row-major.
struct SharedMatrix {
    SharedMatrix() = default;
    SharedMatrix(size_t rows_, size_t cols_)
        : rows(rows_), cols(cols_), first(rows_ * cols_), second(rows_ * cols_) {}

    size_t size() const { return first.size(); }

    size_t rows = 0;
    size_t cols = 0;
    RingVector first;
    RingVector second;
};

inline size_t words_for_bits(size_t count) { return (count + 63) / 64; }

// One party's part of `count` bits; bit i is bit i % 64 of word i / 64, unused bits mean nothing.
struct SharedBits {
    SharedBits() = default;
    explicit SharedBits(size_t count_)
        : count(count_), first(words_for_bits(count_)), second(words_for_bits(count_)) {}

    size_t count = 0;
    RingVector first;
    RingVector second;
};

}  // namespace ward::mpc
