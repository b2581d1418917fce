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

constexpr int kNarrowShift = 20;

constexpr auto kTwice = [](Ring a) { return 2 * a; };
constexpr auto kMinus = [](Ring a, Ring b) { return a - b; };
constexpr auto kNegative = [](Ring a) { return 0 - a; };
constexpr auto kSign = [](Ring bit) { return 1 - 2 * bit; };  // -1 or 1

// The parts of bit p xor bit p+1 as a number: c = b_p + b_(p+1) - 2 b_p b_(p+1), known to the
// pivot, dealt to roles 1 and 2 and recorded. The pivot gets both parts.
struct Dealt {
    RingVector one, two;  // empty where unknown
};
Dealt deal_xor(Party& party, const Roles& roles, Verifier::Width width, const RingVector& first,
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
        verifier.add_relations(kProver, width, 1, map(first, kTwice), second,
                               map(out.two, first, kMinus), map(out.one, second, kMinus));
    } else if (roles.role == 1) {
        out.one = std::move(dealt);
        verifier.add_relations(kRight, width, 1, {}, first, {}, map(out.one, first, kMinus));
    } else {
        out.two = std::move(dealt);
        verifier.add_relations(kLeft, width, 1, map(second, kTwice), {},
                               map(out.two, second, kMinus), {});
    }
    return out;
}

// sum over k of weights[k] m_k, where m_k = c_k (1 - 2 m2_k) + m2_k and m2_k is known to roles 1
// and
// 2. c and m2 have the values of k = 0 first, then those of k = 1.
void join_xor(Party& party, const Roles& roles, Verifier::Width width,
              std::span<const Ring> weights, const Dealt& c, const RingVector& m2, size_t n,
              SharedMatrix& out) {
    Verifier& verifier = *party.verifier();
    const size_t terms = weights.size();
    // Terms of one value beside one another.
    const auto weighted = [&](const RingVector& values, std::span<const Ring> by) {
        RingVector result(terms * n);
        for (size_t k = 0; k < terms; ++k) {
            for (size_t i = 0; i < n; ++i) result[i * terms + k] = by[k] * values[k * n + i];
        }
        return result;
    };
    if (roles.role == 0) {
        out.first = party.draw(roles.pivot, n);
        out.second = party.draw(roles.one, n);
        Party::Round(party).finish();
        verifier.add_relations(kLeft, width, terms, weighted(c.one, weights), {},
                               map(out.second, kNegative), {});
        verifier.add_relations(kRight, width, terms, {}, weighted(c.two, weights), {},
                               map(out.first, kNegative));
        return;
    }
    const bool is_one = roles.role == 1;
    const int other = is_one ? roles.two : roles.one;
    RingVector mask = party.draw(is_one ? roles.one : roles.pivot, n);
    const RingVector own_c = weighted(is_one ? c.one : c.two, weights);
    const RingVector ones(terms, Ring{1});
    const RingVector sign = weighted(map(m2, kSign), ones);
    RingVector own(n), theirs(n), m2_sum(n);
    for (size_t i = 0; i < n; ++i) {
        Ring sum = 0;
        m2_sum[i] = 0;
        for (size_t k = 0; k < terms; ++k) {
            m2_sum[i] += weights[k] * m2[k * n + i];
            sum += own_c[i * terms + k] * sign[i * terms + k];
        }
        own[i] = sum + (is_one ? 0 : m2_sum[i]) - mask[i];
    }
    Party::Round round(party);
    round.send(other, own);
    round.receive(other, theirs);
    round.finish();
    if (is_one) {
        verifier.add_relations(kProver, width, terms, own_c, sign, map(mask, kNegative),
                               map(own, kNegative));
        verifier.add_relations(kLeft, width, terms, sign, {}, map(m2_sum, theirs, kMinus), {});
    } else {
        verifier.add_relations(kProver, width, terms, sign, own_c, map(m2_sum, own, kMinus),
                               map(mask, kNegative));
        verifier.add_relations(kRight, width, terms, {}, sign, {}, map(theirs, kNegative));
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
    const Dealt c = deal_xor(party, roles, Verifier::Width::kWide, first, second);
    SharedMatrix out;
    out.rows = rows;
    out.cols = cols;
    const Ring weights[] = {1};
    join_xor(party, roles, Verifier::Width::kWide, weights, c, roles.role == 1 ? second : first, n,
             out);
    return out;
}

SharedMatrix verified_truncate(Party& party, const SharedMatrix& x, int shift) {
    const size_t n = x.size(), words = words_for_bits(n);
    constexpr Ring kLow = (Ring{1} << 62) - 1;
    const Ring half = Ring{1} << (shift - 1);
    // Part 0 carries the offset that makes x non-negative; every part is rounded to the nearest.
    SharedMatrix out(x.rows, x.cols);
    SharedBits top(words * 64), middle(words * 64), other(words * 64);  // bits 63, 62
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
    // The low parts wrap 2 T_1 - T_0 times; what that is modulo 2^(shift + 2) is enough.
    const SharedBits high = bit_xor(top, majority);
    const Roles roles(party, party.next_pivot());
    const auto both = [&](const RingVector& one, const RingVector& zero) {
        RingVector bits = unpack(one, n);
        const RingVector more = unpack(zero, n);
        bits.insert(bits.end(), more.begin(), more.end());
        return bits;
    };
    const RingVector first = both(high.first, middle.first);
    const RingVector second = both(high.second, middle.second);
    const auto width = shift <= kNarrowShift ? Verifier::Width::kNarrow : Verifier::Width::kWide;
    const Dealt c = deal_xor(party, roles, width, first, second);
    const Ring weights[] = {2, 0 - Ring{1}};
    SharedMatrix wraps;
    join_xor(party, roles, width, weights, c, roles.role == 1 ? second : first, n, wraps);
    const Ring unit = Ring{1} << (62 - shift);
    for (size_t i = 0; i < n; ++i) {
        out.first[i] -= wraps.first[i] * unit;
        out.second[i] -= wraps.second[i] * unit;
    }
    return out;
}

}  // namespace ward::mpc::internal
