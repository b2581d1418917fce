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
#include "ward/mpc/internal/verified.h"
#include "ward/mpc/internal/verify.h"

namespace ward::mpc::internal {
namespace {

using Room = NumberRelations::Room;

Ring bit_at(const RingVector& words, size_t i) { return words[i / 64] >> (i % 64) & 1; }

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
    const size_t n = term.x.size();
    const Room first = relations.add(kProver, n, 2);
    for (size_t i = 0; i < n; ++i) {
        const Ring bp = bit_at(term.bits.first, i), bq = bit_at(term.bits.second, i);
        const Ring xp = term.x.first[i], xq = term.x.second[i];
        const Ring one = dealt.one[term.at + i];
        dealt.two[term.at + i] = ((xp + xq) & (0 - (bp ^ bq))) - one;
        first.u[i] = xp * (1 - 2 * bp);
        first.v[i] = bq;
        first.u[n + i] = bp;
        first.v[n + i] = xq * (1 - 2 * bq);
        first.claim[i] = (xq & (0 - bq)) - one;
    }
    const Room second = relations.add(kProver, n, 1);
    for (size_t i = 0; i < n; ++i) {
        const Ring bp = bit_at(term.bits.first, i), bq = bit_at(term.bits.second, i);
        const Ring one = dealt.one[term.at + n + i];
        dealt.two[term.at + n + i] = (bp ^ bq) - one;
        second.u[i] = 1 - 2 * bp;
        second.v[i] = bq;
        second.claim[i] = 0 - one;
    }
}

// The left verifier of the pivot.
void check_at_two(NumberRelations& relations, const Term& term, const RingVector& two) {
    const size_t n = term.x.size();
    const Room first = relations.add(kLeft, n, 2);
    for (size_t i = 0; i < n; ++i) {
        const Ring bp = bit_at(term.bits.second, i), xp = term.x.second[i];
        first.u[i] = xp * (1 - 2 * bp);
        first.u[n + i] = bp;
        first.claim[i] = (xp & (0 - bp)) - two[term.at + i];
    }
    const Room second = relations.add(kLeft, n, 1);
    for (size_t i = 0; i < n; ++i) {
        const Ring bp = bit_at(term.bits.second, i);
        second.u[i] = 1 - 2 * bp;
        second.claim[i] = bp - two[term.at + n + i];
    }
}

// The right verifier of the pivot.
void check_at_one(NumberRelations& relations, const Term& term, const RingVector& one) {
    const size_t n = term.x.size();
    const Room first = relations.add(kRight, n, 2);
    for (size_t i = 0; i < n; ++i) {
        const Ring bq = bit_at(term.bits.first, i), xq = term.x.first[i];
        first.v[i] = bq;
        first.v[n + i] = xq * (1 - 2 * bq);
        first.claim[i] = (xq & (0 - bq)) - one[term.at + i];
    }
    const Room second = relations.add(kRight, n, 1);
    for (size_t i = 0; i < n; ++i) {
        second.v[i] = bit_at(term.bits.first, i);
        second.claim[i] = 0 - one[term.at + n + i];
    }
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
    const Room left = relations.add(kLeft, n, width), right = relations.add(kRight, n, width);
    RingVector of_one(n, Ring{0}), of_two(n, Ring{0});
    for (size_t k = 0; k < terms.size(); ++k) {
        for (size_t i = 0; i < n; ++i) {
            const size_t from = terms[k].at + i, to = 2 * k * n + i;
            left.u[to] = terms[k].x.second[i] - 2 * dealt.one[from];
            left.u[to + n] = dealt.one[from + n];
            right.v[to] = terms[k].x.first[i] - 2 * dealt.two[from];
            right.v[to + n] = dealt.two[from + n];
            of_one[i] += dealt.one[from];
            of_two[i] += dealt.two[from];
        }
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
    const Room proved = relations.add(kProver, n, width);
    const Room checked = relations.add(is_one ? kLeft : kRight, n, width);
    Ring* parts = is_one ? proved.u : proved.v;
    Ring* known = is_one ? proved.v : proved.u;
    Ring* their_known = is_one ? checked.u : checked.v;
    RingVector of_parts(n, Ring{0});
    std::fill(common.begin(), common.end(), Ring{0});
    for (size_t i = 0; i < n; ++i) own[i] = 0 - mask[i];
    for (size_t k = 0; k < terms.size(); ++k) {
        const RingVector& m2_words = is_one ? terms[k].bits.second : terms[k].bits.first;
        const RingVector& x2 = is_one ? terms[k].x.second : terms[k].x.first;
        const RingVector& x_own = is_one ? terms[k].x.first : terms[k].x.second;
        for (size_t i = 0; i < n; ++i) {
            const size_t from = terms[k].at + i, to = 2 * k * n + i;
            const Ring m2 = bit_at(m2_words, i), minus = 0 - m2;
            const Ring part = x_own[i] - 2 * c[from], signed_x2 = (x2[i] ^ minus) - minus;
            parts[to] = part;
            parts[to + n] = c[from + n];
            known[to] = their_known[to] = m2;
            known[to + n] = their_known[to + n] = signed_x2;
            own[i] += (part & minus) + c[from + n] * signed_x2;
            of_parts[i] += c[from];
            common[i] += x2[i] & minus;
        }
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
