#include "ward/mpc/bits.h"

#include <algorithm>
#include <string>

#include "ward/core/error.h"
#include "ward/mpc/internal/bit_planes.h"
#include "ward/mpc/internal/roles.h"
#include "ward/mpc/internal/verified.h"
#include "ward/mpc/internal/verify.h"
#include "ward/mpc/multiply.h"

namespace ward::mpc {
namespace {

using internal::Add;
using internal::Carry;
using internal::Roles;
using internal::Xor;
using net::TrafficLedger;

// Words of bits, shared; the planes of several vectors lie behind one another.
struct Planes {
    RingVector first;
    RingVector second;
};

// 1 round, one bit per bit and party.
Planes and_planes(Party& party, const Planes& x, const Planes& y) {
    const int self = party.index();
    const size_t n = x.first.size();
    Planes out;
    out.first = party.draw(self, n);
    out.second = party.draw((self + 1) % 3, n);
    internal::Verifier* verifier = party.verifier();
    RingVector own_mask, next_mask;
    if (verifier != nullptr) {
        own_mask = out.first;
        next_mask = out.second;
    }
    for (size_t i = 0; i < n; ++i) {
        out.first[i] ^=
            out.second[i] ^ (x.first[i] & (y.first[i] ^ y.second[i])) ^ (x.second[i] & y.first[i]);
    }
    Party::Round round(party);
    round.send((self + 2) % 3, out.first);
    round.receive((self + 1) % 3, out.second);
    round.finish();
    if (verifier != nullptr) {
        verifier->bits().add({x.first, x.second}, {y.first, y.second}, own_mask, next_mask,
                             out.second);
    }
    return out;
}

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

// One part (first or second) of the two factors of a level of the tree: pairs of groups (2k + 1,
// 2k) give P_hi G_lo for each k, and P_hi P_lo for k > 0.
void gather_pairs(const RingVector& planes, size_t groups, size_t words, RingVector& left,
                  RingVector& right) {
    const size_t pairs = groups / 2;
    left.resize((2 * pairs - 1) * words);
    right.resize(left.size());
    const auto generate = [&](size_t g) { return &planes[g * words]; };
    const auto propagate = [&](size_t g) { return &planes[(groups + g - 1) * words]; };
    for (size_t k = 0; k < pairs; ++k) {
        std::copy_n(propagate(2 * k + 1), words, &left[k * words]);
        std::copy_n(generate(2 * k), words, &right[k * words]);
        if (k == 0) continue;
        std::copy_n(propagate(2 * k + 1), words, &left[(pairs + k - 1) * words]);
        std::copy_n(propagate(2 * k), words, &right[(pairs + k - 1) * words]);
    }
}

// The planes of the next level; an odd group on top stays as it is.
RingVector fold_pairs(const RingVector& planes, const RingVector& products, size_t groups,
                      size_t words) {
    const size_t pairs = groups / 2;
    const size_t next = pairs + groups % 2;
    RingVector out((2 * next - 1) * words);
    for (size_t k = 0; k < pairs; ++k) {
        const Ring* high = &planes[(2 * k + 1) * words];
        for (size_t w = 0; w < words; ++w) out[k * words + w] = high[w] ^ products[k * words + w];
    }
    std::copy_n(&products[pairs * words], (pairs - 1) * words, &out[next * words]);
    if (groups % 2 != 0) {
        std::copy_n(&planes[(groups - 1) * words], words, &out[(next - 1) * words]);
        std::copy_n(&planes[(2 * groups - 2) * words], words, &out[(2 * next - 2) * words]);
    }
    return out;
}

// Generate and propagate of the groups down to the generate of all.
Planes carry_tree(Party& party, Planes planes, size_t groups, size_t words) {
    while (groups > 1) {
        Planes left, right;
        gather_pairs(planes.first, groups, words, left.first, right.first);
        gather_pairs(planes.second, groups, words, left.second, right.second);
        const Planes products = and_planes(party, left, right);
        planes.first = fold_pairs(planes.first, products.first, groups, words);
        planes.second = fold_pairs(planes.second, products.second, groups, words);
        groups = groups / 2 + groups % 2;
    }
    return planes;
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

constexpr size_t kRipple = 4;  // bits in a group whose carry ripples

// Where the planes of a number stand whose bits are cut into such groups; the lowest is the short
// one.
struct Groups {
    Groups(size_t bits, size_t words_)
        : count((bits + kRipple - 1) / kRipple), missing(kRipple * count - bits), words(words_) {}

    // Appends the planes of bit j of the groups from `first` on.
    void gather(const Planes& from, size_t first, size_t j, Planes& to) const {
        for (size_t g = first; g < count; ++g) {
            const auto at = static_cast<std::ptrdiff_t>((kRipple * g + j - missing) * words);
            const auto end = at + static_cast<std::ptrdiff_t>(words);
            to.first.insert(to.first.end(), from.first.begin() + at, from.first.begin() + end);
            to.second.insert(to.second.end(), from.second.begin() + at, from.second.begin() + end);
        }
    }

    size_t count, missing, words;
};

Planes part_of(const Planes& from, size_t begin, size_t count) {
    const auto cut = [&](const RingVector& v) {
        const auto at = v.begin() + static_cast<std::ptrdiff_t>(begin);
        return RingVector(at, at + static_cast<std::ptrdiff_t>(count));
    };
    return {cut(from.first), cut(from.second)};
}

void append(Planes& to, const Planes& from) {
    to.first.insert(to.first.end(), from.first.begin(), from.first.end());
    to.second.insert(to.second.end(), from.second.begin(), from.second.end());
}

// The first `count` words of `to` from `to_at` on get exclusive-or those of `from`.
void add_words(const Planes& from, size_t from_at, size_t count, Planes& to, size_t to_at) {
    for (size_t i = 0; i < count; ++i) to.first[to_at + i] ^= from.first[from_at + i];
    for (size_t i = 0; i < count; ++i) to.second[to_at + i] ^= from.second[from_at + i];
}

// What groups of bits of two numbers generate and propagate, as `carry_tree` takes it. In a group
// the carry ripples, k' = maj(s, c, k) = (s + k)(c + k) + k, one product per bit; beside it the
// bits that pass a carry on are multiplied in pairs. That makes 7 products for 4 bits, where a tree
// from the lowest bits on takes 10. kRipple rounds.
Planes group_carries(Party& party, const Planes& s, const Planes& c, size_t bits, size_t words) {
    const Groups groups(bits, words);
    const size_t upper = (groups.count - 1) * words;
    Planes sum = s, passed, carry;
    add_words(c, 0, bits * words, sum, 0);
    for (RingVector* part : {&carry.first, &carry.second}) {
        part->assign(groups.count * words, Ring{0});
    }
    for (size_t j = 0; j < kRipple; ++j) {
        const size_t first = j < groups.missing ? 1 : 0, skipped = first * words;
        const size_t rippled = groups.count * words - skipped;
        Planes left, right;
        groups.gather(s, first, j, left);
        groups.gather(c, first, j, right);
        add_words(carry, skipped, rippled, left, 0);
        add_words(carry, skipped, rippled, right, 0);
        for (size_t pair = 0; j == 0 && pair < kRipple; pair += 2) {
            groups.gather(sum, 1, pair, left);
            groups.gather(sum, 1, pair + 1, right);
        }
        if (j == 1) {
            append(left, part_of(passed, 0, upper));
            append(right, part_of(passed, upper, upper));
        }
        if (left.first.empty()) continue;
        const Planes products = and_planes(party, left, right);
        add_words(products, 0, rippled, carry, skipped);
        if (j <= 1) passed = part_of(products, rippled, products.first.size() - rippled);
    }
    append(carry, passed);
    return carry;
}

// The part with this number of the planes of three numbers that are each known to two parties: part
// j holds number j where `numbers` has bit j set, else 0.
RingVector planes_of_part(const RingVector& planes, int part, unsigned numbers) {
    return (numbers >> part & 1) != 0 ? planes : RingVector(planes.size(), Ring{0});
}

// The sign of x_0 + x_1 + x_2 with verified operations only. The three parts are shared bits as
// they are; a row of full adders makes two numbers of them, s and 2 c, and the tree their carry.
// 3.25 bits per bit of x and party; 3 + log2(bits) rounds.
SharedBits verified_sign(Party& party, const SharedMatrix& x, size_t bits) {
    const size_t words = words_for_bits(x.size()), low = (bits - 1) * words;
    const int part_one = party.index(), part_two = (party.index() + 1) % 3;
    RingVector first(64 * words), second(64 * words);
    internal::to_planes(x.first.data(), x.size(), first.data());
    internal::to_planes(x.second.data(), x.size(), second.data());
    SharedBits out(x.size());
    std::copy_n(&first[low], words, out.first.data());
    std::copy_n(&second[low], words, out.second.data());
    first.resize(low);
    second.resize(low);
    // c = (x_0 + x_2)(x_1 + x_2) + x_2 in bits
    const auto masked = [&](unsigned numbers) {
        return Planes{planes_of_part(first, part_one, numbers),
                      planes_of_part(second, part_two, numbers)};
    };
    Planes carries = and_planes(party, masked(0b101), masked(0b110));
    const Planes last = masked(0b100);
    for (size_t i = 0; i < low; ++i) {
        carries.first[i] ^= last.first[i];
        carries.second[i] ^= last.second[i];
    }
    for (size_t w = 0; w < words; ++w) {
        out.first[w] ^= carries.first[low - words + w];
        out.second[w] ^= carries.second[low - words + w];
    }
    const size_t summed = bits - 2;
    if (summed == 0) return out;
    // Bits 1 to bits - 2 of s and of 2 c; bit 0 of 2 c is 0.
    const Planes s = part_of({first, second}, words, summed * words);
    const Planes planes = carry_tree(
        party, group_carries(party, s, part_of(carries, 0, summed * words), summed, words),
        Groups(summed, words).count, words);
    for (size_t w = 0; w < words; ++w) {
        out.first[w] ^= planes.first[w];
        out.second[w] ^= planes.second[w];
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
    SharedBits out = x;
    if (party.index() == 0) {
        for (Ring& word : out.first) word = ~word;
    } else if (party.index() == 2) {
        for (Ring& word : out.second) word = ~word;
    }
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
    if (bits < 2 || bits > 64) {
        throw Error(ErrorCode::kUsage,
                    "a comparison must be of 2 to 64 bits, got " + std::to_string(bits));
    }
    if (party.verifier() != nullptr) return verified_sign(party, x, static_cast<size_t>(bits));
    return carry_of(party, party.next_pivot(), x, static_cast<size_t>(bits) - 1, true);
}

SharedBits is_nonnegative(Party& party, const SharedMatrix& x, int bits) {
    return bit_not(party, is_negative(party, x, bits));
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
