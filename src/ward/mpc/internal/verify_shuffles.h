// Shuffles that a party proves (shuffle.h).
//
// In a pass with the pivot p both others know the permutation, so that what they send is linear:
// role 1 sends m_1 = P (x_(p+1) + x_(p+2)) - y_(p+1) and role 2 sends m_2 = P x_p - y_p for the
// permutation matrix P, where the pivot knows x_(p+1), x_p and the masks y, and the receiver knows
// P, x_(p+2) and the message. Like a product of matrices (verify_matrices.h) that is checked
// through random 0/1 sums of rows: L m_1 = (L P) x_(p+1) + ..., for L with 44 rows, which a wrong
// message survives with probability 2^-44. What stays are 44 relations for each column, with the
// permuted L on one side and x on the other, proved modulo 2^128 as wide relations are.
//
// The proof adds one element per row, session and pass to a statement, and 44 words per column to
// the messages. Memory: the passes since the last check. Thread safety: as Party.
#pragma once

#include <array>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/mpc/internal/inner_product.h"
#include "ward/mpc/internal/roles.h"
#include "ward/mpc/internal/sessions.h"
#include "ward/mpc/shared.h"

namespace ward::mpc::internal {

// Row r of the result is row order[r].
RingVector permuted(const RingVector& values, size_t cols, const std::vector<uint32_t>& order);

class ShuffleRelations {
  public:
    // One pass from x to y. Roles 1 and 2 give the order and their additive part of P x, the pivot
    // gives neither.
    void add(const Roles& roles, SharedMatrix x, std::vector<uint32_t> order,
             const RingVector& part, const SharedMatrix& y);

    bool empty() const { return passes_.empty(); }
    void clear() { passes_.clear(); }

    // ---- the proof, in this order

    void project(KeyStream& challenge);
    // Of the provers' w.
    size_t wide_count(Role role) const;
    void high_words(Ring* out) const;
    size_t folded_length() const;
    // Combines the relations by random factors into the elements of `statement` from `at` on.
    void combine(KeyStream& challenge, const Ring* left_w, const Ring* right_w,
                 Statement<Wide>& statement, size_t at) const;

  private:
    // What this party has of the proof of one message.
    struct Proof {
        Role role;
        RingVector data;     // x, where it is known
        RingVector claimed;  // its sums are b of a prover or right verifier, a of a left one
        RingVector claim;    // these sums, after `project`
        RingVector high;     // the prover's w
    };
    struct Pass {
        size_t rows, cols;
        std::vector<uint32_t> order;
        Bytes selection;
        // Of the messages of role 1, whose u is the data, and of role 2, whose v is the data.
        std::array<Proof, 2> proofs;
    };
    struct Factors;

    static void project(const Pass& pass, Proof& proof);
    static Uint128 sum_of_claims(const Factors& factors, const Proof& proof, const Ring* w);

    std::vector<Pass> passes_;
};

}  // namespace ward::mpc::internal
