// A polynomial by its residues: one row of N words for each prime.
#pragma once

#include "ward/he/internal/buffer.h"

namespace ward::he::internal {

class Poly {
  public:
    Poly() = default;
    // Contents are not initialised.
    Poly(size_t degree, size_t limbs) : degree_(degree), limbs_(limbs), words_(degree * limbs) {}

    size_t degree() const { return degree_; }
    size_t limbs() const { return limbs_; }
    bool empty() const { return limbs_ == 0; }
    uint64_t* limb(size_t i) { return words_.data() + i * degree_; }
    const uint64_t* limb(size_t i) const { return words_.data() + i * degree_; }
    void fill_zero() { words_.fill_zero(); }
    // Wiped when it goes.
    Poly& secret() {
        words_.secret();
        return *this;
    }

  private:
    size_t degree_ = 0;
    size_t limbs_ = 0;
    Buffer words_;
};

}  // namespace ward::he::internal
