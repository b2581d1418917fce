#include "ward/mpc/internal/verified.h"

#include <algorithm>

#include "ward/mpc/bits.h"
#include "ward/mpc/internal/roles.h"
#include "ward/mpc/internal/vector_loops.h"
#include "ward/mpc/internal/verify.h"

namespace ward::mpc::internal {
namespace {

using Place = NumberRelations::Place;
using Room = NumberRelations::Room;

// Narrow relations serve a result of up to 22 bits (verify_numbers.h).
constexpr int kNarrowShift = 20;

using In = const Ring* __restrict;
using Out = Ring* __restrict;

constexpr size_t kWord = 64;

// The bits of one word.
WARD_LOOP void expand(Ring word, Ring (&bits)[kWord]) {
    for (size_t i = 0; i < kWord; ++i) bits[i] = word >> i & 1;
}

// At the pivot: two = (b_p xor b_q) - one.
WARD_LOOP void deal_loop(In p_words, In q_words, In one, size_t n, Out two) {
    for (size_t begin = 0; begin < n; begin += kWord) {
        Ring bits[kWord];
        expand(p_words[begin / kWord] ^ q_words[begin / kWord], bits);
        const size_t count = std::min(kWord, n - begin);
        for (size_t i = 0; i < count; ++i) two[begin + i] = bits[i] - one[begin + i];
    }
}

// out = own - bit.
WARD_LOOP void less_bits_loop(In words, In own, size_t n, Out out) {
    for (size_t begin = 0; begin < n; begin += kWord) {
        Ring bits[kWord];
        expand(words[begin / kWord], bits);
        const size_t count = std::min(kWord, n - begin);
        for (size_t i = 0; i < count; ++i) out[begin + i] = own[begin + i] - bits[i];
    }
}

WARD_LOOP void subtract_loop(In a, In b, size_t n, Out out) {
    for (size_t i = 0; i < n; ++i) out[i] = a[i] - b[i];
}
WARD_LOOP void negate_loop(In a, size_t n, Out out) {
    for (size_t i = 0; i < n; ++i) out[i] = 0 - a[i];
}
WARD_LOOP void add_loop(In a, size_t n, Out out) {
    for (size_t i = 0; i < n; ++i) out[i] += a[i];
}
template <Ring kWeight>
WARD_LOOP void scale_loop(In a, size_t n, Out out) {
    for (size_t i = 0; i < n; ++i) out[i] = kWeight * a[i];
}

// One term of a join: own += weight c (1 - 2 m2), common += weight m2, part = weight c.
template <Ring kWeight>
WARD_LOOP void join_loop(In m2_words, In c, size_t n, Out part, Out own, Out common) {
    for (size_t begin = 0; begin < n; begin += kWord) {
        Ring m2[kWord];
        expand(m2_words[begin / kWord], m2);
        const size_t count = std::min(kWord, n - begin);
        for (size_t i = 0; i < count; ++i) {
            const size_t at = begin + i;
            const Ring value = kWeight * c[at], minus = 0 - m2[i];
            part[at] = value;
            own[at] += (value ^ minus) - minus;  // value times the sign
            common[at] += kWeight & minus;
        }
    }
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
        const Place place = relations.add(kProver, total, 1);
        out.one = party.draw(roles.one, total);
        out.two.resize(total);
        for (size_t k = 0; k < bits.size(); ++k) {
            const size_t at = k * n;
            place.u->add_bits(bits[k].first, n, 0, 2);
            place.v->add_bits(bits[k].second, n, 0, 1);
            run_loop<deal_loop>(bits[k].first.data(), bits[k].second.data(), &out.one[at], n,
                                &out.two[at]);
            if (!wide) continue;
            run_loop<less_bits_loop>(bits[k].second.data(), &out.one[at], n, place.claim + at);
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
    const Place place = relations.add(roles.role == 1 ? kRight : kLeft, total, 1);
    for (size_t k = 0; k < bits.size(); ++k) {
        const RingVector& words = roles.role == 1 ? bits[k].first : bits[k].second;
        if (roles.role == 1) {
            place.v->add_bits(words, n, 0, 1);
        } else {
            place.u->add_bits(words, n, 0, 2);
        }
        run_loop<less_bits_loop>(words.data(), &own[k * n], n, place.claim + k * n);
    }
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
    run_loop<add_loop>(theirs.data(), own.size(), own.data());
    out.first = roles.role == 1 ? std::move(mask) : std::move(own);
    out.second = roles.role == 1 ? std::move(own) : std::move(mask);
}

// The pivot's share of the result is drawn, and it verifies both others: with role 1 it has the
// parts `one` in common, with role 2 the parts `two`.
template <Ring... kWeights>
void join_at_pivot(Party& party, const Roles& roles, NumberRelations& relations, const Dealt& c,
                   size_t n, SharedMatrix& out) {
    constexpr size_t kTerms = sizeof...(kWeights);
    out.first = party.draw(roles.pivot, n);
    out.second = party.draw(roles.one, n);
    Party::Round(party).finish();
    const Room left = relations.add_numbers(kLeft, n, kTerms),
               right = relations.add_numbers(kRight, n, kTerms);
    size_t at = 0;
    const auto copy = [&]<Ring kWeight>() {
        run_loop<scale_loop<kWeight>>(&c.one[at], n, left.u + at);
        run_loop<scale_loop<kWeight>>(&c.two[at], n, right.v + at);
        at += n;
    };
    (copy.template operator()<kWeights>(), ...);
    run_loop<negate_loop>(out.second.data(), n, left.claim);
    run_loop<negate_loop>(out.first.data(), n, right.claim);
}

// sum over k of kWeights[k] m_k, where m_k = c_k (1 - 2 m2_k) + m2_k and m2_k is the part of
// bits[k] that roles 1 and 2 know. Recorded.
template <Ring... kWeights>
void join_xor(Party& party, const Roles& roles, Width width, const Dealt& c,
              std::span<const SharedBits> bits, size_t n, SharedMatrix& out) {
    constexpr size_t kTerms = sizeof...(kWeights);
    NumberRelations& relations = party.verifier()->numbers(width);
    if (roles.role == 0) return join_at_pivot<kWeights...>(party, roles, relations, c, n, out);
    const bool is_one = roles.role == 1;
    const RingVector& own_c = is_one ? c.one : c.two;
    RingVector mask = party.draw(is_one ? roles.one : roles.pivot, n), own(n), common(n), theirs;
    // Role 1 has u in common with the pivot, role 2 with role 1.
    const Place proved = relations.add(kProver, n, kTerms);
    const Place checked = relations.add(is_one ? kLeft : kRight, n, kTerms);
    Ring* parts = (is_one ? proved.u : proved.v)->add_numbers(kTerms * n);
    std::fill(common.begin(), common.end(), Ring{0});
    run_loop<negate_loop>(mask.data(), n, own.data());
    size_t k = 0;
    const auto add_term = [&]<Ring kWeight>() {
        const RingVector& m2 = is_one ? bits[k].second : bits[k].first;
        const size_t at = k * n;
        (is_one ? proved.v : proved.u)->add_bits(m2, n, 1, 0 - Ring{2});  // the sign
        (is_one ? checked.u : checked.v)->add_bits(m2, n, 1, 0 - Ring{2});
        run_loop<join_loop<kWeight>>(m2.data(), &own_c[at], n, parts + at, own.data(),
                                     common.data());
        ++k;
    };
    (add_term.template operator()<kWeights>(), ...);
    if (!is_one) run_loop<add_loop>(common.data(), n, own.data());
    exchange_parts(party, roles, own, theirs);
    if (width == Width::kWide) {
        run_loop<negate_loop>(is_one ? own.data() : mask.data(), n, proved.claim);
    }
    if (is_one) {
        run_loop<subtract_loop>(common.data(), theirs.data(), n, checked.claim);
    } else {
        run_loop<negate_loop>(theirs.data(), n, checked.claim);
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
    join_xor<1>(party, roles, Width::kWide, c, {&bits, 1}, n, out);
    return out;
}

// ---- division

namespace {

// floor((x + offset) mod 2^62 / 2^shift) - back, and bits 63 and 62 of x + offset.
WARD_LOOP void divide_loop(In x, size_t n, Ring offset, Ring back, int shift, Out value, Out top,
                           Out middle) {
    constexpr Ring kLow = (Ring{1} << 62) - 1;
    for (size_t begin = 0; begin < n; begin += kWord) {
        const size_t count = std::min(kWord, n - begin);
        Ring high = 0, low = 0;
        for (size_t i = 0; i < count; ++i) {
            const Ring shifted = x[begin + i] + offset;
            value[begin + i] = ((shifted & kLow) >> shift) - back;
            high |= (shifted >> 63) << i;
            low |= (shifted >> 62 & 1) << i;
        }
        top[begin / kWord] = high;
        middle[begin / kWord] = low;
    }
}

// value - 2^shift wraps
WARD_LOOP void correct_loop(In value, size_t n, int shift, Out wraps) {
    for (size_t i = 0; i < n; ++i) wraps[i] = value[i] - (wraps[i] << shift);
}

// One part, rounded to the nearest, and its two top bits.
struct Divided {
    Divided(const RingVector& x, int part, int shift)
        : value(x.size()), top(words_for_bits(x.size())), middle(top.size()) {
        // Part 0 carries the offset that makes x non-negative.
        const Ring offset =
            (Ring{1} << (shift - 1)) - (part == 1 ? 1 : 0) + (part == 0 ? Ring{1} << 61 : 0);
        const Ring back = part == 0 ? Ring{1} << (61 - shift) : 0;
        run_loop<divide_loop>(x.data(), x.size(), offset, back, shift, value.data(), top.data(),
                              middle.data());
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
    SharedMatrix out;
    out.rows = x.rows;
    out.cols = x.cols;
    join_xor<2, 0 - Ring{1}>(party, roles, width, c, bits, n, out);
    run_loop<correct_loop>(first.value.data(), n, 62 - shift, out.first.data());
    run_loop<correct_loop>(second.value.data(), n, 62 - shift, out.second.data());
    return out;
}

}  // namespace ward::mpc::internal
