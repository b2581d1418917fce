// Matrix products that a party proves, through random projections, so that neither the proof nor
// its messages grow with the outputs (Freivalds 1977).
//
// All products since the last check are taken together: with random 0/1 matrices L_m (44 rows) and
// R_m (44 columns) for each, sum over m of L_m (X_m Y_m - Z_m) R_m is 44 x 44; a wrong product in
// it survives each side with probability 2^-44. What stays are 44 x 44 relations whose inner length
// is the sum of those of all products, and which are proved modulo 2^128 as wide relations are
// (verify_numbers.h).
//
// Thread safety: as Party.
#pragma once

#include <vector>

#include "ward/mpc/internal/inner_product.h"
#include "ward/mpc/internal/sessions.h"
#include "ward/mpc/shared.h"

namespace ward::mpc::internal {

class MatrixRelations {
  public:
    static constexpr size_t kSide = 44;
    static constexpr size_t kRelations = kSide * kSide;

    // Products whose outputs, one behind the other, were reshared together: masks of keys i and
    // i + 1, and what the next party has sent.
    struct Factors {
        const SharedMatrix* x;
        const SharedMatrix* y;
    };
    void add(std::span<const Factors> products, RingVector own_mask, RingVector next_mask,
             RingVector received);

    bool empty() const { return used_ == 0; }
    void clear();

    // ---- the proof, in this order

    void project(KeyStream& challenge);
    // The prover's w, kRelations of them.
    void high_words(Ring* out) const;
    // Twice the sum of all inner lengths.
    size_t folded_length() const { return 2 * inner_; }
    // Combines the relations by random factors into the elements of `statement` from `at` on.
    void combine(KeyStream& challenge, const Ring* left_w, const Ring* right_w,
                 Statement<Wide>& statement, size_t at) const;

  private:
    struct Product {
        SharedMatrix x, y;
        size_t batch = 0, offset = 0;
    };
    struct Batch {
        RingVector own_mask, next_mask, received;
    };
    struct Parts {
        RingVector first, second;
    };

    void project_product(const Product& product, KeyStream& challenge, size_t at);

    std::vector<Product> products_;  // `used_` of them; the memory of the others stays
    size_t used_ = 0;
    std::vector<Batch> batches_;
    // L X of all products beside one another, and Y R turned likewise: kSide x inner_.
    size_t inner_ = 0;
    Parts x_, y_;
    RingVector own_mask_, next_mask_, received_;  // projected: kSide x kSide
};

}  // namespace ward::mpc::internal
