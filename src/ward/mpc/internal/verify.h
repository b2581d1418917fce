// What a party has to prove about its messages, gathered while a protocol runs, and the proof.
//
// Every message of a product protocol is of the form sum u v + a + b = 0, where u and a are known
// to the sender ("prover") and the party before it, v and b to the sender and the party after it
// (Boneh, Boyle, Corrigan-Gibbs, Gilboa, Ishai, CRYPTO 2019; Boyle, Gilboa, Ishai, Nof, CCS 2019).
// All such relations since the last check are combined by random factors and proved at once
// (inner_product.h), before anything is opened:
//
//   bits       factors in GF(2^64)
//   numbers    modulo 2^64 a factor may be even, so the prover adds what the sum of integers has
//              above 64 bits, w (masked, 8 bytes): sum u v + a + b = 2^64 w modulo 2^128. With
//              64-bit factors a wrong relation of valuation v <= 63 survives only if five
//              independent draws lose more than 64 bits together: below 2^-44
//              Where a result matters modulo 2^22 only, 16 bits of w and a check modulo 2^80 do
//   matrices   (m x k)(k x n) is first projected by random 0/1 matrices to 40 x 40 outputs (a wrong
//              product survives each side with 2^-40), those are numbers as above, and the inner
//              product has the length k of the inner dimension only (Freivalds 1977)
//
// A cheating party passes with probability below 2^-38 per check. Memory: a copy of all factors
// since the last check. Thread safety: as Party.
#pragma once

#include <vector>

#include "ward/mpc/internal/inner_product.h"
#include "ward/mpc/internal/roles.h"
#include "ward/mpc/internal/sessions.h"
#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc::internal {

// Masks and messages of a resharing: party i sends z_i = part_i + s_i - s_(i+1) (or xor) to party
// i-1.
struct Reshared {
    RingVector own_mask, next_mask;  // s_i, s_(i+1)
    RingVector sent, received;       // z_i, z_(i+1)
};

class Verifier {
  public:
    // z = sum over k of xs[k] ys[k], element by element.
    void add_products(std::span<const SharedMatrix* const> xs,
                      std::span<const SharedMatrix* const> ys, const Reshared& z);
    void add_matrix_product(const SharedMatrix& x, const SharedMatrix& y, Reshared z);
    // z = x and y, words of bits.
    struct Words {
        const RingVector& first;
        const RingVector& second;
    };
    void add_ands(Words x, Words y, const Reshared& z);
    // sum of `terms` products u v (which stand beside one another) + a + b = 0 for the session in
    // which this party has the given role; what the role does not know is empty. With kNarrow the
    // relation is proved modulo 2^22 only, by a w of 2 bytes.
    enum class Width { kWide, kNarrow };
    void add_relations(Role role, Width width, size_t terms, const RingVector& u,
                       const RingVector& v, const RingVector& a, const RingVector& b);

    bool pending() const;
    // Proves and verifies all of it. Throws Error kCorrupt when any party has deviated.
    void check(Party& party);

  private:
    // Relations in groups: `count` relations of `terms` products each.
    struct Group {
        size_t count;
        size_t terms;
        Width width = Width::kWide;
    };
    struct Side {
        std::vector<Group> groups;
        RingVector u, v;                 // products, those of one relation together
        RingVector a, b;                 // one per relation
        RingVector w;                    // one per wide relation; the prover's
        std::vector<uint16_t> narrow_w;  // one per narrow one

        void clear() {
            groups.clear();
            for (RingVector* vector : {&u, &v, &a, &b, &w}) vector->clear();
            narrow_w.clear();
        }
    };
    struct MatrixProduct {
        SharedMatrix x, y;
        Reshared z;
    };
    struct Projected;  // of one matrix product in one session

    static Projected project(Role role, const MatrixProduct& m, KeyStream& challenge);
    struct HighWords {
        RingVector wide;
        std::vector<uint16_t> narrow;
    };
    void exchange_high_words(Sessions& sessions, const std::vector<Projected> (&projected)[3],
                             HighWords& left, HighWords& right) const;
    struct Combined;
    void combine_groups(Role role, KeyStream& challenge, const HighWords& high,
                        Combined& out) const;
    static void combine_matrix(Role role, KeyStream& challenge, const Projected& p,
                               const HighWords& high, Combined& out);
    RingVector own_high_words(const std::vector<Projected>& projected) const;
    size_t wide_length(const std::vector<Projected> (&projected)[3]) const;
    void check_numbers(Sessions& sessions);
    void check_bits(Sessions& sessions);

    Side sides_[3];  // by role
    std::vector<MatrixProduct> matrices_;
    // Both cross terms of every word, in the three roles.
    struct BitSide {
        RingVector u, v, claim;

        void clear() {
            for (RingVector* vector : {&u, &v, &claim}) vector->clear();
        }
    } bits_[3];
};

}  // namespace ward::mpc::internal
