// What a party has to prove about its messages, gathered while a protocol runs, and the proof.
//
// Every message of a product protocol is of the form sum u v + a + b = 0, where u and a are known
// to the sender ("prover") and the party before it, v and b to the sender and the party after it
// (Boneh, Boyle, Corrigan-Gibbs, Gilboa, Ishai, CRYPTO 2019; Boyle, Gilboa, Ishai, Nof, CCS 2019).
// All such relations since the last check are combined by random factors and proved at once
// (inner_product.h), before anything is opened: bits in GF(2^64) (verify_bits.h), numbers modulo
// 2^64 or 2^128 (verify_numbers.h), products of matrices through projections (verify_matrices.h),
// and shuffles likewise (verify_shuffles.h).
//
// A cheating party passes a check with probability below 2^-41. docs/mpc.md adds it up:
//
//   bits       one random factor, then folds by 64 or 16 and by 8: below 2^-60
//   narrow     an error of valuation v <= 21 survives the factors with 2^-(64 - v) <= 2^-43; behind
//              the table the statement is modulo 2^104, so five draws must lose 83 bits together
//   wide       five draws must lose 64 bits together: below 2^-48
//   matrices   2^-44 for either side, then four draws as above
//   shuffles   2^-44 for the sums of rows, then four draws
//
// Memory: a copy of all factors since the last check. Thread safety: as Party.
#pragma once

#include <vector>

#include "ward/mpc/internal/verify_bits.h"
#include "ward/mpc/internal/verify_matrices.h"
#include "ward/mpc/internal/verify_numbers.h"
#include "ward/mpc/internal/verify_shuffles.h"
#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc::internal {

// Masks of a resharing: party i sends z_i = part_i + s_i - s_(i+1) to party i-1.
struct Reshared {
    RingVector own_mask, next_mask;  // s_i, s_(i+1)
};

class Verifier {
  public:
    // sum over k of xs[k] ys[k], element by element, of which `received` is z_(i+1).
    void add_products(std::span<const SharedMatrix* const> xs,
                      std::span<const SharedMatrix* const> ys, const Reshared& z,
                      const RingVector& received);

    BitRelations& bits() { return bits_; }
    NumberRelations& numbers(Width width) { return width == Width::kWide ? wide_ : narrow_; }
    MatrixRelations& matrices() { return matrices_; }
    ShuffleRelations& shuffles() { return shuffles_; }

    bool pending() const;
    // Proves and verifies all of it. Throws Error kCorrupt when any party has deviated.
    void check(Party& party);

  private:
    struct HighWords {
        RingVector left, right;  // of the sessions in which this party is the verifier
    };
    HighWords exchange_high_words(Sessions& sessions) const;
    bool has_projections() const { return !matrices_.empty() || !shuffles_.empty(); }
    bool has_numbers() const { return !narrow_.empty() || !wide_.empty() || has_projections(); }
    size_t wide_count_of_matrices() const {
        return matrices_.empty() ? 0 : MatrixRelations::kRelations;
    }
    size_t length_of_numbers() const;
    InnerProductCheck<Wide>::Parts prove_numbers(Sessions& sessions, KeyStream& challenge,
                                                 const HighWords& high);
    void fold_numbers(KeyStream& challenge, const InnerProductCheck<Wide>::Parts& parts);

    BitRelations bits_;
    NumberRelations narrow_{Width::kNarrow}, wide_{Width::kWide};
    MatrixRelations matrices_;
    ShuffleRelations shuffles_;
    Statement<Wide> statement_;  // kept for the next check
};

}  // namespace ward::mpc::internal
