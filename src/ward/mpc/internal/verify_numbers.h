// Relations between numbers that a party proves, as they are gathered, and their first fold.
//
// A relation is sum of u v + a + b = 0 modulo 2^64 over `terms` products, where u and a are known
// to the prover and its left verifier, v and b to the prover and its right one (verify.h). Two
// widths:
//
//   kNarrow  what matters is the relation modulo 2^22. Times a random factor of 64 bits, an error
//            of valuation below 22 stays one modulo 2^64 but for a probability of 2^-43.
//   kWide    matters modulo 2^64, so the prover says what the sum of integers has above 64 bits,
//            w (masked, 8 bytes), and the proof is modulo 2^128.
//
// The products are cut into 8 pieces, and the prover sends all <u_j, v_k>, where u is already
// multiplied by the factor of its relation: of wide ones modulo 2^128; of narrow ones modulo 2^104,
// u being taken modulo 2^64 and then as an integer. The verifiers compare the sum over j = k with
// what they know of a, b and w, modulo 2^64 or 2^128. From there on narrow ones are times 2^24 and
// modulo 2^128 too, so that they have 40 bits more to lose in the folds that follow.
//
// Thread safety: as Party.
#pragma once

#include <span>
#include <vector>

#include "ward/mpc/internal/inner_product.h"
#include "ward/mpc/internal/sessions.h"
#include "ward/mpc/internal/terms.h"
#include "ward/mpc/shared.h"

namespace ward::mpc::internal {

enum class Width { kNarrow, kWide };

class NumberRelations {
  public:
    static constexpr size_t kPieces = 8;
    using Vector = Statement<Wide>::Vector;

    explicit NumberRelations(Width width) : width_(width) {}

    // `count` relations in the session in which this party has the given role. The caller appends
    // the factors that the role knows: product k of all relations, then product k + 1. `claim` is
    // to be filled before the next call for this role: a for the left verifier and b for the right
    // one; a prover gives b of wide relations, and else it is nullptr.
    struct Place {
        Terms* u;
        Terms* v;
        Ring* claim;
    };
    Place add(Role role, size_t count, size_t terms);
    // The same with room for all factors as numbers: u[k count + i] and v[k count + i] are product
    // k of relation i. What the role does not know is nullptr.
    struct Room {
        Ring* u;
        Ring* v;
        Ring* claim;
    };
    Room add_numbers(Role role, size_t count, size_t terms);

    bool empty() const;
    void clear();

    // ---- the proof, in this order

    size_t wide_count(Role role) const { return width_ == Width::kWide ? count(role) : 0; }
    // The prover's w of all relations.
    void high_words(Ring* out) const;
    // Multiplies by random factors. The w of the left and of the right session are the verifiers'.
    void combine(KeyStream& challenge, const Ring* left_w, const Ring* right_w);
    // <u_j, v_k> of the prover.
    void table(Uint128* out) const;
    // Takes a verifier's parts of the tables: what both must have alike goes into `statement`.
    void set_tables(std::span<const Uint128> left, std::span<const Uint128> right,
                    Statement<Wide>& statement) const;
    // Length behind the fold, known before.
    size_t folded_length() const { return empty() ? 0 : piece_length(); }
    // Folds into the elements of `statement` from `at` on.
    // Challenges of folds have 52 bits.
    void fold(KeyStream& challenge, std::span<const Uint128> left, std::span<const Uint128> right,
              Statement<Wide>& statement, size_t at) const;

  private:
    struct Group {
        size_t count;  // of relations
        size_t terms;
        size_t begin, end;  // in the list of products
        size_t relation;    // number of the first one
    };
    struct Side {
        std::vector<Group> groups;
        Terms u, v;
        RingVector claim;
        Uint128 sum = 0;  // of all claims, after `combine`
    };
    // Rows of a part of all pieces.
    struct Chunk;

    size_t count(Role role) const;
    size_t piece_length() const;
    Uint128 sum_of_claims(const Side& side, const Ring* w) const;
    void scale(const Side& side, size_t at, size_t count, const Ring* u, Ring* out,
               Ring* out_high) const;
    void read_u(const Side& side, size_t begin, size_t count, Chunk& chunk) const;
    void read_v(const Side& side, size_t begin, size_t count, Chunk& chunk) const;
    void fold_rows(const Ring* factors, const WideRows& rows, size_t count, int shift,
                   Uint128* out) const;

    Width width_;
    Side sides_[3];       // by role
    RingVector factors_;  // of relations, after `combine`
};

}  // namespace ward::mpc::internal
