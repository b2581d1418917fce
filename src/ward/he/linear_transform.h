// A matrix times an encrypted vector: Halevi and Shoup's diagonals in baby and giant steps,
// rotations double hoisted (Bossuat et al., ia.cr/2020/1203): digits are cut once for all baby
// steps, sums are taken before the division by the special primes, and each giant step divides
// once.
//
// The vector has a period d of slots (EncodeOptions::slots, a power of two), so that it repeats and
// a rotation of the ciphertext is one of the vector. Takes one level and leaves the scale.
//
// Thread safety: immutable.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "ward/he/ckks.h"

namespace ward::he {

class LinearTransform {
  public:
    struct Options {
        int level = -1;  // of the ciphertexts it will be applied to, or above; -1: the highest
        // No sum of the absolute values of a row is larger. The bound travels with results; 0: the
        // largest sum itself.
        double row_sum_bound = 0;
    };

    // `matrix` has `rows` rows of `columns` numbers, at most `period` of each; what is missing is
    // 0. Throws Error kInvalid for sizes or numbers out of range.
    LinearTransform(ContextPtr context, std::span<const double> matrix, int rows, int columns,
                    int period, const Options& options);
    LinearTransform(ContextPtr context, std::span<const double> matrix, int rows, int columns,
                    int period)
        : LinearTransform(std::move(context), matrix, rows, columns, period, Options{}) {}
    ~LinearTransform();

    // The rotations that GaloisKeys must have.
    std::vector<int> rotations() const;

    // Slot i of the result is row i times the vector. Throws Error kInvalid when the ciphertext has
    // a higher level or other slots than the transform, kNotFound when a key is missing.
    Ciphertext apply(const Ciphertext& vector, const GaloisKeys& keys) const;

    // Memory of the encoded diagonals.
    size_t size_bytes() const;

  private:
    struct State;
    std::unique_ptr<const State> state_;
};

}  // namespace ward::he
