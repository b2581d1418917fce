// select_sum with a verified proof. With A = x_p + x_(p+1) and c = b_p xor b_(p+1) known to the
// pivot, x2 and m2 (parts p + 2) to the others:
//
//   m x = A c (1 - 2 m2) + c x2 (1 - 2 m2) + A m2 + x2 m2
//
// The pivot deals A c = x_p b_p + x_(p+1) b_(p+1) + x_p (1 - 2 b_p) b_(p+1)
//                       + b_p x_(p+1) (1 - 2 b_(p+1))
// and c = b_p + (1 - 2 b_p) b_(p+1); parts p are known to role 2 (its left verifier), parts p + 1
// to role 1 (its right one).
#include <algorithm>

#include "ward/mpc/internal/roles.h"
#include "ward/mpc/internal/vector_loops.h"
#include "ward/mpc/internal/verified.h"
#include "ward/mpc/internal/verify.h"

namespace ward::mpc::internal {
namespace {

using Place = NumberRelations::Place;
using Room = NumberRelations::Room;

using In = const Ring* __restrict;
using Out = Ring* __restrict;

__attribute__((always_inline)) inline Ring bit_of(In words, size_t i) {
    return words[i / 64] >> (i % 64) & 1;
}

// x (1 - 2 b) without a product.
__attribute__((always_inline)) inline Ring signed_by(Ring x, Ring bit) {
    return (x ^ (0 - bit)) + bit;
}

// A c at the pivot, with the factors of two products, (x_p (1 - 2 b_p)) b_q and
// b_p (x_q (1 - 2 b_q)).
WARD_LOOP void deal_product_loop(In bp_words, In bq_words, In xp, In xq, In one, size_t n, Out two,
                                 Out u, Out v, Out claim) {
    for (size_t i = 0; i < n; ++i) {
        const Ring bp = bit_of(bp_words, i), bq = bit_of(bq_words, i);
        two[i] = ((xp[i] + xq[i]) & (0 - (bp ^ bq))) - one[i];
        u[i] = signed_by(xp[i], bp);
        v[i] = signed_by(xq[i], bq);
        claim[i] = (xq[i] & (0 - bq)) - one[i];
    }
}
// c at the pivot.
WARD_LOOP void deal_bit_loop(In bp_words, In bq_words, In one, size_t n, Out two, Out claim) {
    for (size_t i = 0; i < n; ++i) {
        two[i] = (bit_of(bp_words, i) ^ bit_of(bq_words, i)) - one[i];
        claim[i] = 0 - one[i];
    }
}
// A verifier's factor of A c.
WARD_LOOP void check_product_loop(In words, In x, In own, size_t n, Out signed_x, Out claim) {
    for (size_t i = 0; i < n; ++i) {
        const Ring bit = bit_of(words, i);
        signed_x[i] = signed_by(x[i], bit);
        claim[i] = (x[i] & (0 - bit)) - own[i];
    }
}
WARD_LOOP void bit_less_loop(In words, In own, size_t n, Out claim) {
    for (size_t i = 0; i < n; ++i) claim[i] = bit_of(words, i) - own[i];
}
WARD_LOOP void negate_loop(In own, size_t n, Out claim) {
    for (size_t i = 0; i < n; ++i) claim[i] = 0 - own[i];
}
// One term of a join at the pivot: x - 2 (A c) and c, of one of the others.
WARD_LOOP void parts_loop(In x, In dealt, size_t n, Out factors, Out sum) {
    for (size_t i = 0; i < n; ++i) {
        factors[i] = x[i] - 2 * dealt[i];
        factors[n + i] = dealt[n + i];
        sum[i] += dealt[i];
    }
}
// The same at the others, with m2 and x2 (1 - 2 m2).
WARD_LOOP void join_loop(In m2_words, In x2, In x_own, In dealt, size_t n, Out parts, Out known,
                         Out their_known, Out own, Out of_parts, Out common) {
    for (size_t i = 0; i < n; ++i) {
        const Ring m2 = bit_of(m2_words, i), minus = 0 - m2;
        const Ring part = x_own[i] - 2 * dealt[i], signed_x2 = signed_by(x2[i], m2);
        parts[i] = part;
        parts[n + i] = dealt[n + i];
        known[i] = their_known[i] = signed_x2;
        own[i] += (part & minus) + dealt[n + i] * signed_x2;
        of_parts[i] += dealt[i];
        common[i] += x2[i] & minus;
    }
}

struct Dealt {
    RingVector one, two;  // A c and c of each term in turn
};

// One selection and where its dealt values stand.
struct Term {
    const SharedBits& bits;
    const SharedMatrix& x;
    size_t at;
};

void deal_at_pivot(NumberRelations& relations, const Term& term, Dealt& dealt) {
    const size_t n = term.x.size(), at = term.at;
    const RingVector &bp = term.bits.first, &bq = term.bits.second;
    const Place first = relations.add(kProver, n, 2);
    first.v->add_bits(bq, n, 0, 1);
    Ring *u = first.u->add_numbers(n), *v = first.v->add_numbers(n);
    first.u->add_bits(bp, n, 0, 1);
    run_loop<deal_product_loop>(bp.data(), bq.data(), term.x.first.data(), term.x.second.data(),
                                &dealt.one[at], n, &dealt.two[at], u, v, first.claim);
    const Place second = relations.add(kProver, n, 1);
    second.u->add_bits(bp, n, 1, 0 - Ring{2});
    second.v->add_bits(bq, n, 0, 1);
    run_loop<deal_bit_loop>(bp.data(), bq.data(), &dealt.one[at + n], n, &dealt.two[at + n],
                            second.claim);
}

// The left verifier of the pivot.
void check_at_two(NumberRelations& relations, const Term& term, const RingVector& two) {
    const size_t n = term.x.size();
    const RingVector& bp = term.bits.second;
    const Place first = relations.add(kLeft, n, 2);
    Ring* u = first.u->add_numbers(n);
    first.u->add_bits(bp, n, 0, 1);
    run_loop<check_product_loop>(bp.data(), term.x.second.data(), &two[term.at], n, u, first.claim);
    const Place second = relations.add(kLeft, n, 1);
    second.u->add_bits(bp, n, 1, 0 - Ring{2});
    run_loop<bit_less_loop>(bp.data(), &two[term.at + n], n, second.claim);
}

// The right verifier of the pivot.
void check_at_one(NumberRelations& relations, const Term& term, const RingVector& one) {
    const size_t n = term.x.size();
    const RingVector& bq = term.bits.first;
    const Place first = relations.add(kRight, n, 2);
    first.v->add_bits(bq, n, 0, 1);
    Ring* v = first.v->add_numbers(n);
    run_loop<check_product_loop>(bq.data(), term.x.first.data(), &one[term.at], n, v, first.claim);
    const Place second = relations.add(kRight, n, 1);
    second.v->add_bits(bq, n, 0, 1);
    run_loop<negate_loop>(&one[term.at + n], n, second.claim);
}

Dealt deal(Party& party, const Roles& roles, std::span<const Term> terms, size_t total) {
    NumberRelations& relations = party.verifier()->numbers(Width::kWide);
    Dealt out;
    if (roles.role != 2) out.one = party.draw(roles.one, total);
    if (roles.role != 1) out.two.resize(total);
    Party::Round round(party);
    if (roles.role == 0) {
        for (const Term& term : terms) deal_at_pivot(relations, term, out);
        round.send(roles.two, out.two);
    } else if (roles.role == 2) {
        round.receive(roles.pivot, out.two);
    }
    round.finish();
    for (const Term& term : terms) {
        if (roles.role == 1) check_at_one(relations, term, out.one);
        if (roles.role == 2) check_at_two(relations, term, out.two);
    }
    return out;
}

// The pivot as the left verifier of role 1 and the right one of role 2.
void join_at_pivot(Party& party, const Roles& roles, std::span<const Term> terms,
                   const Dealt& dealt, SharedMatrix& out) {
    const size_t n = terms[0].x.size(), width = 2 * terms.size();
    out.first = party.draw(roles.pivot, n);
    out.second = party.draw(roles.one, n);
    Party::Round(party).finish();
    NumberRelations& relations = party.verifier()->numbers(Width::kWide);
    const Room left = relations.add_numbers(kLeft, n, width),
               right = relations.add_numbers(kRight, n, width);
    RingVector of_one(n, Ring{0}), of_two(n, Ring{0});
    for (size_t k = 0; k < terms.size(); ++k) {
        const size_t from = terms[k].at, to = 2 * k * n;
        run_loop<parts_loop>(terms[k].x.second.data(), &dealt.one[from], n, left.u + to,
                             of_one.data());
        run_loop<parts_loop>(terms[k].x.first.data(), &dealt.two[from], n, right.v + to,
                             of_two.data());
    }
    for (size_t i = 0; i < n; ++i) {
        left.claim[i] = of_one[i] - out.second[i];
        right.claim[i] = of_two[i] - out.first[i];
    }
}

// Roles 1 and 2, each the prover of its own part and a verifier of the other's.
void join_at_others(Party& party, const Roles& roles, std::span<const Term> terms,
                    const Dealt& dealt, SharedMatrix& out) {
    const size_t n = terms[0].x.size(), width = 2 * terms.size();
    const bool is_one = roles.role == 1;
    const int other = is_one ? roles.two : roles.one;
    RingVector mask = party.draw(is_one ? roles.one : roles.pivot, n), own(n), theirs(n), common(n);
    const RingVector& c = is_one ? dealt.one : dealt.two;
    NumberRelations& relations = party.verifier()->numbers(Width::kWide);
    const Place proved = relations.add(kProver, n, width);
    const Place checked = relations.add(is_one ? kLeft : kRight, n, width);
    Ring* parts = (is_one ? proved.u : proved.v)->add_numbers(n * width);
    Terms* known = is_one ? proved.v : proved.u;
    Terms* their_known = is_one ? checked.u : checked.v;
    RingVector of_parts(n, Ring{0});
    std::fill(common.begin(), common.end(), Ring{0});
    for (size_t i = 0; i < n; ++i) own[i] = 0 - mask[i];
    for (size_t k = 0; k < terms.size(); ++k) {
        const RingVector& m2_words = is_one ? terms[k].bits.second : terms[k].bits.first;
        const RingVector& x2 = is_one ? terms[k].x.second : terms[k].x.first;
        const RingVector& x_own = is_one ? terms[k].x.first : terms[k].x.second;
        known->add_bits(m2_words, n, 0, 1);
        their_known->add_bits(m2_words, n, 0, 1);
        run_loop<join_loop>(m2_words.data(), x2.data(), x_own.data(), &c[terms[k].at], n,
                            parts + 2 * k * n, known->add_numbers(n), their_known->add_numbers(n),
                            own.data(), of_parts.data(), common.data());
    }
    for (size_t i = 0; i < n; ++i) {
        own[i] += of_parts[i] + (is_one ? 0 : common[i]);
        proved.claim[i] = is_one ? 0 - own[i] : of_parts[i] - mask[i];
    }
    Party::Round round(party);
    round.send(other, own);
    round.receive(other, theirs);
    round.finish();
    for (size_t i = 0; i < n; ++i) checked.claim[i] = (is_one ? common[i] : 0) - theirs[i];
    for (size_t i = 0; i < n; ++i) own[i] += theirs[i];
    out.first = is_one ? std::move(mask) : std::move(own);
    out.second = is_one ? std::move(own) : std::move(mask);
}

}  // namespace

SharedMatrix verified_select_sum(Party& party, std::span<const SharedBits> bits,
                                 std::span<const SharedMatrix> terms) {
    const Roles roles(party, party.next_pivot());
    const size_t n = terms.front().size();
    std::vector<Term> all;
    for (size_t k = 0; k < terms.size(); ++k) all.push_back({bits[k], terms[k], 2 * n * k});
    const Dealt dealt = deal(party, roles, all, 2 * n * terms.size());
    SharedMatrix out;
    out.rows = terms.front().rows;
    out.cols = terms.front().cols;
    if (roles.role == 0) {
        join_at_pivot(party, roles, all, dealt, out);
    } else {
        join_at_others(party, roles, all, dealt, out);
    }
    return out;
}

}  // namespace ward::mpc::internal
