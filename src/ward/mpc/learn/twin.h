// The plain-text twin: the operations of module mpc on values in the clear, with the same integers,
// the same dither in every division, and the same tables. What a job computes on shares and what
// its twin computes differ by the draws of the dither only, so the twin tells beforehand, without
// parties, which accuracy a job will have, and tests compare the two.
//
// Thread safety: one Twin belongs to one thread. Nothing here protects anything.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "ward/core/random.h"
#include "ward/mpc/functions.h"
#include "ward/mpc/shared.h"
#include "ward/mpc/spline.h"

namespace ward::mpc {

// Bits in the clear: one byte each, 0 or 1.
using PlainBits = std::vector<uint8_t>;

class Twin {
  public:
    explicit Twin(Random random) : random_(std::move(random)) {}

    // floor((x + t) / 2^shift) with a fresh uniform t.
    void divide(RingVector& values, int shift);
    Random& random() { return random_; }

  private:
    Random random_;
};

struct PlainProduct {  // as Product in multiply.h
    const RingMatrix* x = nullptr;
    const RingMatrix* y = nullptr;
    const RingMatrix* addend = nullptr;
};
struct PlainTournament {
    std::vector<uint32_t> winners;  // number of the entry that won, per value
    size_t entries = 0;
};
struct PlainLargest {
    RingMatrix value;
    PlainTournament tournament;
};
struct PlainRelu {
    RingMatrix value;
    PlainBits active;
};

// Each as its namesake on shares (multiply.h, overlap.h, max_pool.h, bits.h, softmax.h,
// clip.h, noise.h).
RingMatrix share_public(const Twin& twin, const RingMatrix& values);
RingMatrix add(const RingMatrix& x, const RingMatrix& y);
RingMatrix subtract(const RingMatrix& x, const RingMatrix& y);
RingMatrix scale(const RingMatrix& x, Ring constant);
RingMatrix transpose(const RingMatrix& x);
RingMatrix add_row(const RingMatrix& x, const RingMatrix& y);
RingMatrix sum_rows(const RingMatrix& x);
RingMatrix truncate(Twin& twin, const RingMatrix& x, int shift);
std::vector<RingMatrix> matmul_fixed(Twin& twin, std::span<const PlainProduct> products, int shift);
RingMatrix matmul_fixed(Twin& twin, const RingMatrix& x, const RingMatrix& y, int shift);
RingMatrix matmul_mapped_fixed(Twin& twin, const RingMatrix& x, const RingMatrix& y,
                               const std::function<void(const RingVector&, RingVector&)>& map,
                               size_t rows, size_t cols, int shift);
PlainLargest largest(Twin& twin, std::vector<RingMatrix> entries);
std::vector<RingMatrix> to_winner(Twin& twin, const PlainTournament& tournament,
                                  const RingMatrix& value);
PlainRelu relu(Twin& twin, const RingMatrix& x, int bits);
RingMatrix select(Twin& twin, const PlainBits& bits, const RingMatrix& x);
RingMatrix cap(Twin& twin, const RingMatrix& x, const RingVector& bounds);
RingMatrix row_products(Twin& twin, std::span<const PlainProduct> pairs);
RingMatrix multiply(Twin& twin, const RingMatrix& x, const RingMatrix& y);
RingMatrix multiply_fixed(Twin& twin, const RingMatrix& x, const RingMatrix& y, int shift);
RingMatrix repeat_column(const RingMatrix& x, size_t cols);
RingMatrix discrete_gaussian_noise(Twin& twin, size_t rows, size_t cols, double sigma_units);
RingMatrix evaluate(Twin& twin, const Spline& spline, RingMatrix x);
RingMatrix evaluate(Twin& twin, const Ladder& ladder, const RingMatrix& x);
RingMatrix softmax(Twin& twin, const RingMatrix& x);
RingMatrix sigmoid(Twin& twin, const RingMatrix& x);

}  // namespace ward::mpc
