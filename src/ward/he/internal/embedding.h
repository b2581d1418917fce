// Between n complex slots and the 2n real coefficients of a polynomial in X^(N/2n): slot j is the
// value at zeta^(5^j), zeta = exp(2 pi i / 4n) (Cheon, Kim, Kim and Song, ia.cr/2016/421).
//
// Doubles; every instruction set gives the same bits. Immutable.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace ward::he::internal {

class Embedding {
  public:
    // n = 2^log_slots.
    explicit Embedding(int log_slots);

    size_t slots() const { return size_t{1} << log_slots_; }

    // In place: real and imaginary parts of the slots to coefficients 0..n-1 and n..2n-1.
    void to_coefficients(std::span<double> re, std::span<double> im) const;
    void to_slots(std::span<double> re, std::span<double> im) const;

  private:
    void reverse(std::span<double> values) const;

    int log_slots_;
    std::vector<double> roots_re_, roots_im_;  // level of block length 2h at h .. 2h - 1
};

}  // namespace ward::he::internal
