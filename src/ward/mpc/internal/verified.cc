#include "ward/mpc/internal/verified.h"

#include <algorithm>

#include "ward/mpc/bits.h"
#include "ward/mpc/internal/roles.h"
#include "ward/mpc/internal/verify.h"

namespace ward::mpc::internal {
namespace {

RingVector unpack(const RingVector& words, size_t count) {
    RingVector out(count);
    for (size_t i = 0; i < count; ++i) out[i] = words[i / 64] >> (i % 64) & 1;
    return out;
}

// f applied to the elements of one or two vectors.
template <typename Function>
RingVector map(const RingVector& a, Function f) {
    RingVector out(a.size());
    for (size_t i = 0; i < a.size(); ++i) out[i] = f(a[i]);
    return out;
}
template <typename Function>
RingVector map(const RingVector& a, const RingVector& b, Function f) {
    RingVector out(a.size());
    for (size_t i = 0; i < a.size(); ++i) out[i] = f(a[i], b[i]);
    return out;
}

constexpr auto kTwice = [](Ring a) { return 2 * a; };
constexpr auto kMinus = [](Ring a, Ring b) { return a - b; };
constexpr auto kNegative = [](Ring a) { return 0 - a; };
constexpr auto kSign = [](Ring bit) { return 1 - 2 * bit; };  // -1 or 1

// The parts of bit p xor bit p+1 as a number: c = b_p + b_(p+1) - 2 b_p b_(p+1), known to the
// pivot, dealt to roles 1 and 2 and recorded. The pivot gets both parts.
struct Dealt {
    RingVector one, two;  // empty where unknown
};
Dealt deal_xor(Party& party, const Roles& roles, const RingVector& first,
               const RingVector& second) {
    Verifier& verifier = *party.verifier();
    const size_t n = first.size();
    Dealt out;
    const RingVector value =
        roles.role == 0 ? map(first, second, [](Ring a, Ring b) { return a ^ b; }) : RingVector();
    RingVector dealt = deal<Add>(party, roles, value, n);
    if (roles.role == 0) {
        out.two = map(value, dealt, kMinus);
        out.one = std::move(dealt);
        verifier.add_relations(kProver, map(first, kTwice), second, map(out.two, first, kMinus),
                               map(out.one, second, kMinus));
    } else if (roles.role == 1) {
        out.one = std::move(dealt);
        verifier.add_relations(kRight, {}, first, {}, map(out.one, first, kMinus));
    } else {
        out.two = std::move(dealt);
        verifier.add_relations(kLeft, map(second, kTwice), {}, map(out.two, second, kMinus), {});
    }
    return out;
}

// m = c (1 - 2 m2) + m2 with m2 known to roles 1 and 2.
void join_xor(Party& party, const Roles& roles, const Dealt& c, const RingVector& m2, size_t n,
              SharedMatrix& out) {
    Verifier& verifier = *party.verifier();
    if (roles.role == 0) {
        out.first = party.draw(roles.pivot, n);
        out.second = party.draw(roles.one, n);
        Party::Round(party).finish();
        verifier.add_relations(kLeft, c.one, {}, map(out.second, kNegative), {});
        verifier.add_relations(kRight, {}, c.two, {}, map(out.first, kNegative));
        return;
    }
    const bool is_one = roles.role == 1;
    const int other = is_one ? roles.two : roles.one;
    RingVector mask = party.draw(is_one ? roles.one : roles.pivot, n);
    const RingVector sign = map(m2, kSign);
    const RingVector& own_c = is_one ? c.one : c.two;
    RingVector own(n), theirs(n);
    for (size_t i = 0; i < n; ++i) own[i] = own_c[i] * sign[i] + (is_one ? 0 : m2[i]) - mask[i];
    Party::Round round(party);
    round.send(other, own);
    round.receive(other, theirs);
    round.finish();
    if (is_one) {
        verifier.add_relations(kProver, own_c, sign, map(mask, kNegative), map(own, kNegative));
        verifier.add_relations(kLeft, sign, {}, map(m2, theirs, kMinus), {});
    } else {
        verifier.add_relations(kProver, sign, own_c, map(m2, own, kMinus), map(mask, kNegative));
        verifier.add_relations(kRight, {}, sign, {}, map(theirs, kNegative));
    }
    RingVector sum = map(own, theirs, [](Ring a, Ring b) { return a + b; });
    out.first = is_one ? std::move(mask) : sum;
    out.second = is_one ? std::move(sum) : std::move(mask);
}

}  // namespace

SharedMatrix verified_to_ring(Party& party, const SharedBits& bits, size_t rows, size_t cols) {
    const Roles roles(party, party.next_pivot());
    const size_t n = rows * cols;
    const RingVector first = unpack(bits.first, n), second = unpack(bits.second, n);
    const Dealt c = deal_xor(party, roles, first, second);
    SharedMatrix out;
    out.rows = rows;
    out.cols = cols;
    join_xor(party, roles, c, roles.role == 1 ? second : first, n, out);
    return out;
}

SharedMatrix verified_truncate(Party& party, const SharedMatrix& x, int shift) {
    const size_t n = x.size(), words = words_for_bits(n);
    constexpr Ring kLow = (Ring{1} << 62) - 1;
    const Ring half = Ring{1} << (shift - 1);
    // Part 0 carries the offset that makes x non-negative; every part is rounded to the nearest.
    SharedMatrix out(x.rows, x.cols);
    SharedBits top(2 * words * 64), middle(words * 64), other(words * 64);  // bits 63, 62
    for (RingVector* bits : {&top.first, &top.second, &middle.first, &middle.second}) {
        std::fill(bits->begin(), bits->end(), Ring{0});
    }
    const auto divide = [&](int part, const RingVector& in, RingVector& to, RingVector& high,
                            RingVector& low) {
        const Ring offset = half - (part == 1 ? 1 : 0) + (part == 0 ? Ring{1} << 61 : 0);
        const Ring back = part == 0 ? Ring{1} << (61 - shift) : 0;
        for (size_t i = 0; i < n; ++i) {
            const Ring value = in[i] + offset;
            to[i] = ((value & kLow) >> shift) - back;
            high[i / 64] |= (value >> 63) << (i % 64);
            low[i / 64] |= (value >> 62 & 1) << (i % 64);
        }
    };
    const int part_one = party.index(), part_two = (party.index() + 1) % 3;
    divide(part_one, x.first, out.first, top.first, middle.first);
    divide(part_two, x.second, out.second, top.second, middle.second);
    // Majority of the three middle bits: (m_0 + m_2)(m_1 + m_2) + m_2.
    SharedBits left(words * 64), right(words * 64);
    const auto parts = [&](SharedBits& to, unsigned numbers) {
        for (size_t w = 0; w < words; ++w) {
            to.first[w] = (numbers >> part_one & 1) != 0 ? middle.first[w] : 0;
            to.second[w] = (numbers >> part_two & 1) != 0 ? middle.second[w] : 0;
        }
    };
    parts(left, 0b101);
    parts(right, 0b110);
    parts(other, 0b100);
    const SharedBits majority = bit_xor(bit_and(party, left, right), other);
    // Bit 1 of T, then bit 0; the low parts wrap 2 T_1 - T_0 times.
    for (size_t w = 0; w < words; ++w) {
        top.first[w] ^= majority.first[w];
        top.second[w] ^= majority.second[w];
        top.first[words + w] = middle.first[w];
        top.second[words + w] = middle.second[w];
    }
    const SharedMatrix bits = verified_to_ring(party, top, 2, words * 64);
    const Ring unit = Ring{1} << (62 - shift);
    for (size_t i = 0; i < n; ++i) {
        const size_t j = words * 64 + i;
        out.first[i] -= (2 * bits.first[i] - bits.first[j]) * unit;
        out.second[i] -= (2 * bits.second[i] - bits.second[j]) * unit;
    }
    return out;
}

}  // namespace ward::mpc::internal
