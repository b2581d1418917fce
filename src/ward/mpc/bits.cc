#include "ward/mpc/bits.h"

#include <algorithm>
#include <string>

#include "ward/core/error.h"
#include "ward/mpc/internal/bit_circuits.h"
#include "ward/mpc/internal/bit_planes.h"
#include "ward/mpc/internal/roles.h"
#include "ward/mpc/internal/verified.h"
#include "ward/mpc/internal/verified_bits.h"
#include "ward/mpc/internal/verify.h"
#include "ward/mpc/multiply.h"

namespace ward::mpc {
namespace {

using internal::Add;
using internal::and_planes;
using internal::Carry;
using internal::carry_tree;
using internal::Planes;
using internal::Roles;
using internal::Xor;
using net::TrafficLedger;

// What the pivot deals: the levels of each group of a's low bits, then, if asked for, one plane of
// a itself.
RingVector level_words(const RingVector& a, size_t bits, bool with_next_bit) {
    const size_t words = words_for_bits(a.size());
    RingVector planes(64 * words);
    internal::to_planes(a.data(), a.size(), planes.data());
    RingVector out((internal::level_planes(bits) + (with_next_bit ? 1 : 0)) * words);
    std::array<uint64_t, internal::kGroupBits> group_bits;
    std::array<uint64_t, internal::kGroupLevels> levels;
    size_t plane = 0;
    for (size_t group = 0; group < internal::groups_of(bits); ++group) {
        const size_t width = internal::bits_of_group(bits, group);
        const size_t count = internal::levels_of_group(bits, group);
        const Ring* source = &planes[group * internal::kGroupBits * words];
        for (size_t w = 0; w < words; ++w) {
            for (size_t j = 0; j < width; ++j) group_bits[j] = source[j * words + w];
            internal::group_levels(group_bits.data(), width, levels.data());
            for (size_t j = 0; j < count; ++j) out[(plane + j) * words + w] = levels[j];
        }
        plane += count;
    }
    if (with_next_bit) std::copy_n(&planes[bits * words], words, &out[plane * words]);
    return out;
}

// Parts of roles 1 and 2: generate of all groups, then propagate of all but the lowest.
RingVector choose_carries(const RingVector& levels, const RingVector& b_planes, size_t words,
                          size_t bits, Ring always) {
    const size_t groups = internal::groups_of(bits);
    RingVector out((2 * groups - 1) * words);
    std::array<uint64_t, internal::kGroupBits> b_bits;
    std::array<uint64_t, internal::kGroupLevels> u;
    size_t plane = 0;
    for (size_t group = 0; group < groups; ++group) {
        const size_t width = internal::bits_of_group(bits, group);
        const size_t count = internal::levels_of_group(bits, group);
        for (size_t w = 0; w < words; ++w) {
            for (size_t j = 0; j < width; ++j) {
                b_bits[j] = b_planes[(group * internal::kGroupBits + j) * words + w];
            }
            for (size_t j = 0; j < count; ++j) u[j] = levels[(plane + j) * words + w];
            const Carry carry = internal::choose_carry(u.data(), always, b_bits.data(), width);
            out[group * words + w] = carry.generate;
            if (group > 0) out[(groups + group - 1) * words + w] = carry.propagate;
        }
        plane += count;
    }
    return out;
}

// The carry out of the low bits; with `top_bit` exclusive-or bit number `bits` of both summands,
// which makes it that bit of the sum.
SharedBits carry_of(Party& party, int pivot, const SharedMatrix& x, size_t bits, bool top_bit) {
    const Roles roles(party, pivot);
    const size_t words = words_for_bits(x.size());
    const size_t groups = internal::groups_of(bits);
    const RingVector known = internal::known_part(roles, x.first, x.second);
    const size_t dealt_words = (internal::level_planes(bits) + (top_bit ? 1 : 0)) * words;
    RingVector levels;
    if (roles.role == 0) levels = level_words(known, bits, top_bit);
    const RingVector dealt = internal::deal<Xor>(party, roles, levels, dealt_words);
    RingVector b_planes, part;
    if (roles.role != 0) {
        b_planes.resize(64 * words);
        internal::to_planes(known.data(), known.size(), b_planes.data());
        part = choose_carries(dealt, b_planes, words, bits, roles.role == 1 ? 0 : ~Ring{0});
    }
    Planes planes;
    internal::join<Xor>(party, roles, part, (2 * groups - 1) * words, planes.first, planes.second);
    planes = carry_tree(party, std::move(planes), groups, words);
    SharedBits out(x.size());
    const size_t top = dealt_words - words;
    for (size_t w = 0; w < words; ++w) {
        Ring first = 0, second = 0;
        if (top_bit) {
            // Part p is the pivot's message, part p+1 the common draw, part p+2 the others' bit.
            const Ring bit = roles.role == 0 ? levels[top + w] ^ dealt[top + w] : dealt[top + w];
            const Ring other = roles.role == 0 ? dealt[top + w] : b_planes[bits * words + w];
            first = roles.role == 2 ? other : bit;
            second = roles.role == 2 ? bit : other;
        }
        out.first[w] = planes.first[w] ^ first;
        out.second[w] = planes.second[w] ^ second;
    }
    return out;
}

Ring bit_at(const RingVector& words, size_t i) { return words[i / 64] >> (i % 64) & 1; }

void require_counts(size_t bits, size_t values) {
    if (bits == values) return;
    throw Error(ErrorCode::kUsage, "as many bits as values are needed, got " +
                                       std::to_string(bits) + " bits and " +
                                       std::to_string(values) + " values");
}

void require_width(int bits) {
    if (bits >= 2 && bits <= 64) return;
    throw Error(ErrorCode::kUsage,
                "a comparison must be of 2 to 64 bits, got " + std::to_string(bits));
}

void require_fits(Ring end, int bits) {
    const int unused = 64 - bits;
    if (static_cast<int64_t>(end << unused) >> unused == static_cast<int64_t>(end)) return;
    throw Error(ErrorCode::kUsage, "a number to compare with has more than " +
                                       std::to_string(bits) +
                                       " bits: " + std::to_string(static_cast<int64_t>(end)));
}

}  // namespace

SharedBits bit_xor(const SharedBits& x, const SharedBits& y) {
    require_counts(x.count, y.count);
    SharedBits out = x;
    for (size_t i = 0; i < out.first.size(); ++i) {
        out.first[i] ^= y.first[i];
        out.second[i] ^= y.second[i];
    }
    return out;
}

SharedBits bit_not(const Party& party, const SharedBits& x) {
    Planes planes{x.first, x.second};
    internal::flip(party, planes);
    SharedBits out;
    out.count = x.count;
    out.first = std::move(planes.first);
    out.second = std::move(planes.second);
    return out;
}

SharedBits bit_and(Party& party, const SharedBits& x, const SharedBits& y) {
    const TrafficLedger::Scope scope(party.ledger(), "and");
    require_counts(x.count, y.count);
    const Planes product = and_planes(party, {x.first, x.second}, {y.first, y.second});
    SharedBits out;
    out.count = x.count;
    out.first = product.first;
    out.second = product.second;
    return out;
}

SharedBits is_negative(Party& party, const SharedMatrix& x, int bits) {
    const TrafficLedger::Scope scope(party.ledger(), "compare");
    require_width(bits);
    if (party.verifier() != nullptr)
        return internal::verified_sign(party, x, static_cast<size_t>(bits));
    return carry_of(party, party.next_pivot(), x, static_cast<size_t>(bits) - 1, true);
}

SharedBits is_nonnegative(Party& party, const SharedMatrix& x, int bits) {
    return bit_not(party, is_negative(party, x, bits));
}

SharedBits at_least(Party& party, const SharedMatrix& x, std::span<const Ring> ends, int bits) {
    const TrafficLedger::Scope scope(party.ledger(), "compare");
    require_width(bits);
    if (ends.empty()) throw Error(ErrorCode::kUsage, "a comparison needs at least one number");
    for (const Ring end : ends) require_fits(end, bits);
    if (party.verifier() != nullptr) {
        return internal::verified_at_least(party, x, ends, static_cast<size_t>(bits));
    }
    const size_t stride = padded_bits(x.size());
    SharedMatrix differences(ends.size(), stride);
    std::fill(differences.first.begin(), differences.first.end(), Ring{0});
    std::fill(differences.second.begin(), differences.second.end(), Ring{0});
    for (size_t k = 0; k < ends.size(); ++k) {
        const Ring first = party.index() == 0 ? ends[k] : 0;
        const Ring second = party.index() == 2 ? ends[k] : 0;
        for (size_t i = 0; i < x.size(); ++i) {
            differences.first[k * stride + i] = x.first[i] - first;
            differences.second[k * stride + i] = x.second[i] - second;
        }
    }
    return is_nonnegative(party, differences, bits);
}

namespace internal {

SharedBits summand_carry(Party& party, int pivot, const SharedMatrix& x, int bits) {
    party.require_semi_honest("the carry of two summands");
    return carry_of(party, pivot, x, static_cast<size_t>(bits), false);
}

}  // namespace internal

SharedMatrix to_ring(Party& party, const SharedBits& bits, size_t rows, size_t cols) {
    const TrafficLedger::Scope scope(party.ledger(), "to_ring");
    require_counts(bits.count, rows * cols);
    if (party.verifier() != nullptr) return internal::verified_to_ring(party, bits, rows, cols);
    const Roles roles(party, party.next_pivot());
    const size_t n = bits.count;
    // m = c ^ m2 = c (1 - 2 m2) + m2
    RingVector value(n), part(n);
    if (roles.role == 0) {
        for (size_t i = 0; i < n; ++i) value[i] = bit_at(bits.first, i) ^ bit_at(bits.second, i);
    }
    const RingVector c = internal::deal<Add>(party, roles, value, n);
    if (roles.role != 0) {
        const bool is_one = roles.role == 1;
        const RingVector& known = is_one ? bits.second : bits.first;
        for (size_t i = 0; i < n; ++i) {
            const Ring bit = bit_at(known, i);
            part[i] = c[i] * (1 - 2 * bit) + (is_one ? 0 : bit);
        }
    }
    SharedMatrix out;
    out.rows = rows;
    out.cols = cols;
    internal::join<Add>(party, roles, part, n, out.first, out.second);
    return out;
}

SharedMatrix select(Party& party, const SharedBits& bits, const SharedMatrix& x) {
    return select_sum(party, {&bits, 1}, {&x, 1});
}

SharedMatrix select_sum(Party& party, std::span<const SharedBits> bits,
                        std::span<const SharedMatrix> terms) {
    const TrafficLedger::Scope scope(party.ledger(), "select");
    require_counts(bits.size(), terms.size());
    const size_t n = terms.front().size();
    for (size_t k = 0; k < terms.size(); ++k) {
        require_counts(bits[k].count, n);
        require_counts(terms[k].size(), n);
    }
    if (party.verifier() != nullptr) return internal::verified_select_sum(party, bits, terms);
    const Roles roles(party, party.next_pivot());
    // m x = A c (1 - 2 m2) + A m2 + c x2 (1 - 2 m2) + x2 m2, where A = x - x2 and m = c ^ m2.
    RingVector value(roles.role == 0 ? 2 * n * terms.size() : 0);
    for (size_t k = 0; k < terms.size() && roles.role == 0; ++k) {
        Ring* out = &value[2 * n * k];
        for (size_t i = 0; i < n; ++i) {
            const Ring c = bit_at(bits[k].first, i) ^ bit_at(bits[k].second, i);
            out[i] = (terms[k].first[i] + terms[k].second[i]) & (0 - c);
            out[n + i] = c;
        }
    }
    const RingVector dealt = internal::deal<Add>(party, roles, value, 2 * n * terms.size());
    RingVector part(n);
    std::fill(part.begin(), part.end(), Ring{0});
    const bool is_one = roles.role == 1;
    for (size_t k = 0; k < terms.size() && roles.role != 0; ++k) {
        const Ring* ac = &dealt[2 * n * k];
        const Ring* c = ac + n;
        const RingVector& m2 = is_one ? bits[k].second : bits[k].first;
        const RingVector& x2 = is_one ? terms[k].second : terms[k].first;
        const RingVector& own = is_one ? terms[k].first : terms[k].second;
        for (size_t i = 0; i < n; ++i) {
            const Ring bit = bit_at(m2, i);
            const Ring shared = is_one ? own[i] : own[i] + x2[i];
            part[i] += (ac[i] + c[i] * x2[i]) * (1 - 2 * bit) + (shared & (0 - bit));
        }
    }
    SharedMatrix out;
    out.rows = terms.front().rows;
    out.cols = terms.front().cols;
    internal::join<Add>(party, roles, part, n, out.first, out.second);
    return out;
}

ReluResult relu(Party& party, const SharedMatrix& x, int bits) {
    const TrafficLedger::Scope scope(party.ledger(), "relu");
    ReluResult out;
    out.active = is_nonnegative(party, x, bits);
    out.value = select(party, out.active, x);
    return out;
}

}  // namespace ward::mpc
