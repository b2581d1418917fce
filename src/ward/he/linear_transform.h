// A matrix times an encrypted vector: Halevi and Shoup's diagonals in baby and giant steps,
// rotations double hoisted (Bossuat et al., ia.cr/2020/1203): digits are cut once for all baby
// steps, sums are taken before the division by the special primes, and each giant step divides
// once.
//
// The vector has a period of slots (EncodeOptions::slots, a power of two) that divides the
// transform's, so that it repeats and a rotation of the ciphertext is one of the vector. Takes one
// level and leaves the scale.
//
// Thread safety: immutable.
#pragma once

#include <complex>
#include <map>
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
        // No result is larger, by what the caller knows about the vectors; 0: the bound of the
        // vector times that of the row sums. It travels with results.
        double value_bound = 0;
        // Counts the errors of different slots as independent: the bound of the error grows by
        // the root of the largest sum of squares of a row, not by the sum of absolute values.
        // Sharper by orders of magnitude in deep computations, but an assumption.
        bool independent_errors = false;
        // Of the diagonals; the scale of results is that of vectors times this over the prime that
        // is dropped. 0: that prime.
        double scale = 0;
    };

    // Diagonal k holds at place i what the result's slot i gets from the vector's slot i + k.
    using Diagonals = std::map<int, std::vector<double>>;
    using ComplexDiagonals = std::map<int, std::vector<std::complex<double>>>;

    // `matrix` has `rows` rows of `columns` numbers, at most `period` of each; what is missing is
    // 0. Throws Error kInvalid for sizes or numbers out of range.
    LinearTransform(ContextPtr context, std::span<const double> matrix, int rows, int columns,
                    int period, const Options& options);
    LinearTransform(ContextPtr context, std::span<const double> matrix, int rows, int columns,
                    int period)
        : LinearTransform(std::move(context), matrix, rows, columns, period, Options{}) {}
    // From diagonals of numbers 0..period - 1, each of `period` places or repeated with a shorter
    // power of two. Diagonals of zeros count like others.
    LinearTransform(ContextPtr context, const Diagonals& diagonals, int period,
                    const Options& options);
    LinearTransform(ContextPtr context, const ComplexDiagonals& diagonals, int period,
                    const Options& options);
    LinearTransform(LinearTransform&&) noexcept;
    LinearTransform& operator=(LinearTransform&&) noexcept;
    ~LinearTransform();

    // How a transform with these diagonals will be split.
    struct Steps {
        int baby_count = 1;  // diagonal k is baby step k % baby_count behind a giant step
        int babies = 0, giants = 0;
        std::vector<int> rotations;
    };
    static Steps steps(std::span<const int> diagonals, int period);

    // The rotations that GaloisKeys must have.
    std::vector<int> rotations() const;

    // Slot i of the result is row i times the vector. Throws Error kInvalid when the ciphertext has
    // a higher level or a longer period than the transform, kNotFound when a key is missing.
    Ciphertext apply(const Ciphertext& vector, const GaloisKeys& keys) const;

    // Memory of the encoded diagonals.
    size_t size_bytes() const;

  private:
    struct State;
    std::unique_ptr<const State> state_;
};

}  // namespace ward::he
