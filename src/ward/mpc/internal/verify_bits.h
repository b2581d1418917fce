// The proof that products of shared bits are right: x y = z for words of bits, side by side.
//
// A word of 64 products is one relation in GF(2^64): with the bits of a word as the coefficients of
// an element, an error in any bit is an error of the element, and the sum of all relations times
// random factors r_i hides it with probability 2^-64 only. The first fold (inner_product.h) goes
// over pieces of the list of words, where its table needs one carry-less product per 64 bits; the
// bits become field elements only behind it, one for each word.
//
// Thread safety: as Party.
#pragma once

#include "ward/mpc/internal/inner_product.h"
#include "ward/mpc/internal/sessions.h"
#include "ward/mpc/shared.h"

namespace ward::mpc::internal {

class BitRelations {
  public:
    // z = x and y, where this party has sent part_i(x y) + own_mask + next_mask to the previous
    // party and has received the next one's.
    struct Words {
        const RingVector& first;
        const RingVector& second;
    };
    void add(Words x, Words y, const RingVector& own_mask, const RingVector& next_mask,
             const RingVector& received);
    bool empty() const { return x_.first.empty(); }
    void clear();

    // ---- the proof, in this order

    // The table of the first fold, which travels with `round`.
    void prove(Sessions& sessions, KeyStream& challenge, Sessions::ToRight& round);
    void fold(KeyStream& challenge);
    // Throws Error kCorrupt when a relation does not hold at all bits.
    void finish() { check_->run(statement_); }

  private:
    struct Parts {
        RingVector first, second;
    };
    using Check = InnerProductCheck<Binary>;

    void fill_up(size_t words);

    Parts x_, y_;
    RingVector left_claim_, right_claim_;
    std::optional<Check> check_;
    Check::Parts parts_;
    // Kept for the next check.
    RingVector factors_;
    Statement<Binary> statement_;
};

}  // namespace ward::mpc::internal
