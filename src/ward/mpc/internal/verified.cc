#include "ward/mpc/internal/verified.h"

#include <algorithm>

#include "ward/mpc/bits.h"
#include "ward/mpc/internal/bit_planes.h"
#include "ward/mpc/internal/roles.h"
#include "ward/mpc/internal/verify.h"

namespace ward::mpc::internal {
namespace {

using Room = NumberRelations::Room;

// Narrow relations serve a result of up to 22 bits (verify_numbers.h).
constexpr int kNarrowShift = 20;

RingVector expanded(const RingVector& words, size_t count) {
    RingVector out(count);
    expand_bits(words.data(), count, out.data());
    return out;
}

// What the pivot deals to role 1 (a common draw) and role 2 (the rest): one, two are empty where
// unknown.
struct Dealt {
    RingVector one, two;
};

// Parts of the bits b_p xor b_(p+1) as numbers, c = b_p + b_(p+1) - 2 b_p b_(p+1), which the pivot
// knows; of several vectors of n bits, one behind the other. Recorded.
Dealt deal_xor(Party& party, const Roles& roles, Width width, std::span<const SharedBits> bits,
               size_t n) {
    const size_t total = bits.size() * n;
    NumberRelations& relations = party.verifier()->numbers(width);
    const bool wide = width == Width::kWide;
    Dealt out;
    if (roles.role == 0) {
        const Room room = relations.add(kProver, total, 1);
        out.one = party.draw(roles.one, total);
        out.two.resize(total);
        for (size_t k = 0; k < bits.size(); ++k) {
            const RingVector first = expanded(bits[k].first, n);
            Ring *u = room.u + k * n, *v = room.v + k * n;
            expand_bits(bits[k].second.data(), n, v);
            const Ring* one = &out.one[k * n];
            Ring* two = &out.two[k * n];
            for (size_t i = 0; i < n; ++i) {
                u[i] = 2 * first[i];
                two[i] = (first[i] ^ v[i]) - one[i];
            }
            for (size_t i = 0; wide && i < n; ++i) room.claim[k * n + i] = one[i] - v[i];
        }
        Party::Round round(party);
        round.send(roles.two, out.two);
        round.finish();
        return out;
    }
    RingVector& own = roles.role == 1 ? out.one : out.two;
    Party::Round round(party);
    if (roles.role == 1) {
        own = party.draw(roles.one, total);
    } else {
        own.resize(total);
        round.receive(roles.pivot, own);
    }
    round.finish();
    const Room room = relations.add(roles.role == 1 ? kRight : kLeft, total, 1);
    Ring* factors = roles.role == 1 ? room.v : room.u;
    for (size_t k = 0; k < bits.size(); ++k) {
        const RingVector& words = roles.role == 1 ? bits[k].first : bits[k].second;
        expand_bits(words.data(), n, factors + k * n);
    }
    for (size_t i = 0; i < total; ++i) room.claim[i] = own[i] - factors[i];
    for (size_t i = 0; roles.role == 2 && i < total; ++i) factors[i] *= 2;
    return out;
}

// One step of a join (roles.h): roles 1 and 2 exchange `own`, which becomes the sum of both.
void exchange_parts(Party& party, const Roles& roles, const RingVector& own, RingVector& theirs) {
    const int other = roles.role == 1 ? roles.two : roles.one;
    theirs.resize(own.size());
    Party::Round round(party);
    round.send(other, own);
    round.receive(other, theirs);
    round.finish();
}

// Parts p + 2 are the sum of both messages, the other part is this role's mask.
void finish_join(const Roles& roles, RingVector mask, RingVector own, const RingVector& theirs,
                 SharedMatrix& out) {
    for (size_t i = 0; i < own.size(); ++i) own[i] += theirs[i];
    out.first = roles.role == 1 ? std::move(mask) : std::move(own);
    out.second = roles.role == 1 ? std::move(own) : std::move(mask);
}

// The pivot's share of the result is drawn, and it verifies both others: with role 1 it has the
// parts `one` in common, with role 2 the parts `two`.
template <size_t kTerms>
void join_at_pivot(Party& party, const Roles& roles, NumberRelations& relations,
                   const Ring (&weights)[kTerms], const Dealt& c, size_t n, SharedMatrix& out) {
    out.first = party.draw(roles.pivot, n);
    out.second = party.draw(roles.one, n);
    Party::Round(party).finish();
    const Room left = relations.add(kLeft, n, kTerms), right = relations.add(kRight, n, kTerms);
    for (size_t k = 0; k < kTerms; ++k) {
        for (size_t at = k * n; at < (k + 1) * n; ++at) {
            left.u[at] = weights[k] * c.one[at];
            right.v[at] = weights[k] * c.two[at];
        }
    }
    for (size_t i = 0; i < n; ++i) {
        left.claim[i] = 0 - out.second[i];
        right.claim[i] = 0 - out.first[i];
    }
}

// sum over k of weights[k] m_k, where m_k = c_k (1 - 2 m2_k) + m2_k and m2_k is the part of bits[k]
// that roles 1 and 2 know. Recorded.
template <size_t kTerms>
void join_xor(Party& party, const Roles& roles, Width width, const Ring (&weights)[kTerms],
              const Dealt& c, std::span<const SharedBits> bits, size_t n, SharedMatrix& out) {
    NumberRelations& relations = party.verifier()->numbers(width);
    if (roles.role == 0) return join_at_pivot(party, roles, relations, weights, c, n, out);
    const bool is_one = roles.role == 1;
    const RingVector& own_c = is_one ? c.one : c.two;
    RingVector mask = party.draw(is_one ? roles.one : roles.pivot, n), own(n), common(n), theirs;
    // Role 1 has u in common with the pivot, role 2 with role 1.
    const Room proved = relations.add(kProver, n, kTerms);
    const Room checked = relations.add(is_one ? kLeft : kRight, n, kTerms);
    Ring* parts = is_one ? proved.u : proved.v;
    Ring* signs = is_one ? proved.v : proved.u;
    Ring* their_signs = is_one ? checked.u : checked.v;
    std::fill(common.begin(), common.end(), Ring{0});
    for (size_t i = 0; i < n; ++i) own[i] = 0 - mask[i];
    RingVector m2(n);
    for (size_t k = 0; k < kTerms; ++k) {
        expand_bits((is_one ? bits[k].second : bits[k].first).data(), n, m2.data());
        const Ring weight = weights[k];
        const Ring* part_of_c = &own_c[k * n];
        Ring *part = parts + k * n, *sign = signs + k * n, *same = their_signs + k * n;
        for (size_t i = 0; i < n; ++i) {
            const Ring value = weight * part_of_c[i], minus = 0 - m2[i];
            part[i] = value;
            sign[i] = same[i] = 1 + 2 * minus;
            own[i] += (value ^ minus) - minus;  // value times the sign
            common[i] += weight & minus;
        }
    }
    for (size_t i = 0; !is_one && i < n; ++i) own[i] += common[i];
    exchange_parts(party, roles, own, theirs);
    for (size_t i = 0; i < n; ++i) {
        if (width == Width::kWide) proved.claim[i] = 0 - (is_one ? own[i] : mask[i]);
        checked.claim[i] = (is_one ? common[i] : 0) - theirs[i];
    }
    finish_join(roles, std::move(mask), std::move(own), theirs, out);
}

}  // namespace

SharedMatrix verified_to_ring(Party& party, const SharedBits& bits, size_t rows, size_t cols) {
    const Roles roles(party, party.next_pivot());
    const size_t n = rows * cols;
    const Dealt c = deal_xor(party, roles, Width::kWide, {&bits, 1}, n);
    SharedMatrix out;
    out.rows = rows;
    out.cols = cols;
    const Ring weights[] = {1};
    join_xor(party, roles, Width::kWide, weights, c, {&bits, 1}, n, out);
    return out;
}

// ---- division

namespace {

// One part, rounded to the nearest, and its two top bits.
struct Divided {
    Divided(const RingVector& x, int part, int shift)
        : value(x.size()), top(words_for_bits(x.size())), middle(top.size()) {
        // Part 0 carries the offset that makes x non-negative.
        constexpr Ring kLow = (Ring{1} << 62) - 1;
        const Ring offset =
            (Ring{1} << (shift - 1)) - (part == 1 ? 1 : 0) + (part == 0 ? Ring{1} << 61 : 0);
        const Ring back = part == 0 ? Ring{1} << (61 - shift) : 0;
        for (size_t w = 0; w < top.size(); ++w) {
            const size_t begin = 64 * w, count = std::min<size_t>(64, x.size() - begin);
            Ring high = 0, low = 0;
            for (size_t i = 0; i < count; ++i) {
                const Ring shifted = x[begin + i] + offset;
                value[begin + i] = ((shifted & kLow) >> shift) - back;
                high |= (shifted >> 63) << i;
                low |= (shifted >> 62 & 1) << i;
            }
            top[w] = high;
            middle[w] = low;
        }
    }
    RingVector value, top, middle;  // bits 63 and 62
};

// The bits of those parts whose numbers are in the set; zeros for the others.
SharedBits bits_of_parts(const Party& party, const RingVector& first, const RingVector& second,
                         unsigned numbers) {
    SharedBits out(first.size() * 64);
    const auto part = [&](int number, const RingVector& from, RingVector& to) {
        if ((numbers >> number & 1) != 0) {
            to = from;
        } else {
            std::fill(to.begin(), to.end(), Ring{0});
        }
    };
    part(party.index(), first, out.first);
    part((party.index() + 1) % 3, second, out.second);
    return out;
}

}  // namespace

SharedMatrix verified_truncate(Party& party, const SharedMatrix& x, int shift) {
    const size_t n = x.size();
    Divided first(x.first, party.index(), shift), second(x.second, (party.index() + 1) % 3, shift);
    // The low parts wrap 2 T_1 - T_0 times, T_0 being the sum of the middle bits and T_1 that of
    // the top bits and the majority of the middle ones: (m_0 + m_2)(m_1 + m_2) + m_2. What they are
    // modulo 2^(shift + 2) is enough.
    const auto middle = [&](unsigned numbers) {
        return bits_of_parts(party, first.middle, second.middle, numbers);
    };
    const SharedBits majority =
        bit_xor(bit_and(party, middle(0b101), middle(0b110)), middle(0b100));
    const SharedBits bits[] = {
        bit_xor(bits_of_parts(party, first.top, second.top, 0b111), majority), middle(0b111)};
    const Roles roles(party, party.next_pivot());
    const auto width = shift <= kNarrowShift ? Width::kNarrow : Width::kWide;
    const Dealt c = deal_xor(party, roles, width, bits, n);
    const Ring weights[] = {2, 0 - Ring{1}};
    SharedMatrix out;
    out.rows = x.rows;
    out.cols = x.cols;
    join_xor(party, roles, width, weights, c, bits, n, out);
    for (size_t i = 0; i < n; ++i) {
        out.first[i] = first.value[i] - (out.first[i] << (62 - shift));
        out.second[i] = second.value[i] - (out.second[i] << (62 - shift));
    }
    return out;
}

}  // namespace ward::mpc::internal
