#include "ward/mpc/internal/verified_bits.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <vector>

#include "ward/mpc/internal/bit_circuits.h"
#include "ward/mpc/internal/bit_planes.h"

namespace ward::mpc::internal {
namespace {

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

// x_0 + x_1 + x_2 as the sum of two numbers, plane by plane: `sum` has `bits` bits, and the carries
// out of its bits but the highest are the other number, one bit higher.
struct Adders {
    Adders(Party& party, const SharedMatrix& x, size_t bits) : words(words_for_bits(x.size())) {
        // The exclusive-or of the parts is shared by them.
        for (auto [from, to] :
             {std::pair(&x.first, &sum.first), std::pair(&x.second, &sum.second)}) {
            to->resize(64 * words);
            to_planes(from->data(), x.size(), to->data());
            to->resize(bits * words);
        }
        // c = (x_0 + x_2)(x_1 + x_2) + x_2 in bits
        const Planes low = part_of(sum, 0, (bits - 1) * words);
        const auto masked = [&](unsigned numbers) {
            return Planes{planes_of_part(low.first, party.index(), numbers),
                          planes_of_part(low.second, (party.index() + 1) % 3, numbers)};
        };
        carry = and_planes(party, masked(0b101), masked(0b110));
        add_words(masked(0b100), 0, carry.first.size(), carry, 0);
    }

    // Part j holds number j where `numbers` has bit j set, else 0.
    static RingVector planes_of_part(const RingVector& planes, int part, unsigned numbers) {
        return (numbers >> part & 1) != 0 ? planes : RingVector(planes.size(), Ring{0});
    }

    size_t words;
    Planes sum, carry;
};

// All bits of the sum of both numbers; carries by a tree in place (Sklansky 1960).
Planes bits_of_sum(Party& party, const Adders& adders, size_t bits) {
    const size_t words = adders.words, inner = bits - 2;
    Planes out = adders.sum;
    add_words(adders.carry, 0, (bits - 1) * words, out, words);
    if (inner == 0) return out;
    // Of bits 1 to bits - 2; afterwards generate[i] is the carry into bit i + 2.
    Planes propagate = part_of(out, words, inner * words);
    Planes generate = and_planes(party, part_of(adders.sum, words, inner * words),
                                 part_of(adders.carry, 0, inner * words));
    for (size_t step = 1; step < inner; step *= 2) {
        Planes left, right;
        const auto each = [&](auto&& function) {
            for (size_t i = step; i < inner; ++i) {
                if ((i & step) != 0) function(i, i / step * step - 1);
            }
        };
        const auto plane = [&](const Planes& of, size_t i) {
            return part_of(of, i * words, words);
        };
        // Nothing comes into the lowest block, which needs no propagate.
        each([&](size_t i, size_t below) {
            append(left, plane(propagate, i));
            append(right, plane(generate, below));
            if (i < 2 * step) return;
            append(left, plane(propagate, i));
            append(right, plane(propagate, below));
        });
        const Planes products = and_planes(party, left, right);
        size_t at = 0;
        each([&](size_t i, size_t) {
            add_words(products, at, words, generate, i * words);
            at += words;
            if (i < 2 * step) return;
            std::copy_n(&products.first[at], words, &propagate.first[i * words]);
            std::copy_n(&products.second[at], words, &propagate.second[i * words]);
            at += words;
        });
    }
    add_words(generate, 0, inner * words, out, 2 * words);
    return out;
}

// ---- comparison of shared bits with public numbers

constexpr size_t kDigit = 4;  // bits
constexpr size_t kSubsets = size_t{1} << kDigit;

// Products of single planes, all in one message.
class Products {
  public:
    explicit Products(Party& party) : party_(party) {}
    void add(const Planes& x, const Planes& y) {
        append(left_, x);
        append(right_, y);
        ++count_;
    }
    std::vector<Planes> finish() {
        std::vector<Planes> out;
        if (count_ == 0) return out;
        const Planes all = and_planes(party_, left_, right_);
        const size_t words = all.first.size() / count_;
        for (size_t i = 0; i < count_; ++i) out.push_back(part_of(all, i * words, words));
        return out;
    }

  private:
    Party& party_;
    Planes left_, right_;
    size_t count_ = 0;
};

// All products of the bits of a digit, by the set of the bits.
using Monomials = std::array<Planes, kSubsets>;

bool has_two(size_t set) { return std::popcount(set) == 2; }
size_t lowest(size_t set) { return set & (~set + 1); }
// A set of three or four as a pair and the rest, which is a bit or a pair.
size_t lowest_pair(size_t set) { return lowest(set) | lowest(set & (set - 1)); }

// 2 rounds.
std::vector<Monomials> monomials_of(Party& party, const Planes& bits, size_t words) {
    const size_t count = bits.first.size() / words;
    std::vector<Monomials> out((count + kDigit - 1) / kDigit);
    for (size_t i = 0; i < count; ++i) {
        out[i / kDigit][size_t{1} << i % kDigit] = part_of(bits, i * words, words);
    }
    const auto multiply = [&](auto&& of_this_round, auto&& factor) {
        Products products(party);
        std::vector<Planes*> to;
        for (Monomials& digit : out) {
            for (size_t set = 1; set < kSubsets; ++set) {
                const size_t one = factor(set), other = set ^ one;
                if (!of_this_round(set) || digit[one].first.empty() || digit[other].first.empty()) {
                    continue;
                }
                products.add(digit[one], digit[other]);
                to.push_back(&digit[set]);
            }
        }
        std::vector<Planes> result = products.finish();
        for (size_t i = 0; i < to.size(); ++i) *to[i] = std::move(result[i]);
    };
    multiply(has_two, lowest);
    multiply([](size_t set) { return std::popcount(set) > 2; }, lowest_pair);
    return out;
}

// What is known of a range of bits and a public number: whether they are at least it, and it.
struct Compared {
    Planes at_least, equal;
};
using ByNumber = std::map<Ring, Compared>;

// The function of a digit with these values as a sum of products (its algebraic normal form).
Planes function_of(const Party& party, const Monomials& digit, std::array<bool, kSubsets> values) {
    for (size_t bit = 1; bit < kSubsets; bit *= 2) {
        for (size_t set = 0; set < kSubsets; ++set) {
            if ((set & bit) != 0) values[set] = values[set] != values[set ^ bit];
        }
    }
    const size_t words = digit[1].first.size();
    Planes out{RingVector(words, Ring{0}), RingVector(words, Ring{0})};
    for (size_t set = 1; set < kSubsets; ++set) {
        // Sets with bits that the topmost digit lacks never matter: those bits are 0.
        if (values[set] && !digit[set].first.empty()) add_words(digit[set], 0, words, out, 0);
    }
    if (values[0]) flip(party, out);
    return out;
}

ByNumber compare_digit(const Party& party, const Monomials& digit, std::span<const Ring> numbers,
                       size_t shift) {
    ByNumber out;
    for (const Ring number : numbers) {
        const Ring value = number >> shift & (kSubsets - 1);
        if (out.contains(value)) continue;
        std::array<bool, kSubsets> at_least{}, equal{};
        for (size_t v = 0; v < kSubsets; ++v) {
            at_least[v] = v >= value;
            equal[v] = v == value;
        }
        out[value] = {function_of(party, digit, at_least), function_of(party, digit, equal)};
    }
    return out;
}

// From neighbouring ranges of bits to ranges of twice the width, `width` bits each, until one is
// left. The `equal` of the lowest range is not needed.
ByNumber join_ranges(Party& party, std::vector<ByNumber> ranges, std::span<const Ring> numbers) {
    const auto cut = [](Ring number, size_t range, size_t width) {
        const size_t shift = range * width;
        if (shift >= 64) return Ring{0};
        return number >> shift & (width >= 64 ? ~Ring{0} : (Ring{1} << width) - 1);
    };
    for (size_t width = kDigit; ranges.size() > 1; width *= 2) {
        Products products(party);
        std::vector<ByNumber> joined((ranges.size() + 1) / 2);
        struct Open {
            Compared* result;
            bool equal;  // whether it is wanted
        };
        std::vector<Open> open;
        for (size_t r = 0; r < joined.size(); ++r) {
            if (2 * r + 1 == ranges.size()) {
                joined[r] = std::move(ranges.back());
                continue;
            }
            for (const Ring number : numbers) {
                const auto [at, is_new] = joined[r].try_emplace(cut(number, r, 2 * width));
                if (!is_new) continue;
                const Compared& high = ranges[2 * r + 1].at(cut(number, 2 * r + 1, width));
                const Compared& low = ranges[2 * r].at(cut(number, 2 * r, width));
                // At least: high at least, and not both equal and low below.
                at->second.at_least = high.at_least;
                Planes below = low.at_least;
                flip(party, below);
                products.add(high.equal, below);
                if (r > 0) products.add(high.equal, low.equal);
                open.push_back({&at->second, r > 0});
            }
        }
        const std::vector<Planes> result = products.finish();
        size_t next = 0;
        for (const Open& each : open) {
            const Planes& less = result[next++];
            add_words(less, 0, less.first.size(), each.result->at_least, 0);
            if (each.equal) each.result->equal = result[next++];
        }
        ranges = std::move(joined);
    }
    return std::move(ranges.front());
}

}  // namespace

SharedBits verified_sign(Party& party, const SharedMatrix& x, size_t bits) {
    const Adders adders(party, x, bits);
    const size_t words = adders.words, summed = bits - 2;
    SharedBits out(x.size());
    Planes top = part_of(adders.sum, (bits - 1) * words, words);
    add_words(adders.carry, summed * words, words, top, 0);
    if (summed > 0) {
        // Bits 1 to bits - 2 of both numbers; bit 0 of the second one is 0.
        const Planes s = part_of(adders.sum, words, summed * words);
        const Planes c = part_of(adders.carry, 0, summed * words);
        const Planes carry = carry_tree(party, group_carries(party, s, c, summed, words),
                                        Groups(summed, words).count, words);
        add_words(carry, 0, words, top, 0);
    }
    out.first = std::move(top.first);
    out.second = std::move(top.second);
    return out;
}

SharedBits verified_at_least(Party& party, const SharedMatrix& x, std::span<const Ring> ends,
                             size_t bits) {
    // Bits below all ends do not matter once they are added.
    size_t low = bits - 1;
    for (const Ring end : ends) low = std::min<size_t>(low, std::countr_zero(end));
    const Adders adders(party, x, bits);
    const size_t words = adders.words, kept = bits - low;
    Planes value = part_of(bits_of_sum(party, adders, bits), low * words, kept * words);
    // With its top bit turned a number with a sign compares as one without.
    Planes top = part_of(value, (kept - 1) * words, words);
    flip(party, top);
    std::copy_n(top.first.data(), words, &value.first[(kept - 1) * words]);
    std::copy_n(top.second.data(), words, &value.second[(kept - 1) * words]);
    std::vector<Ring> numbers;
    for (const Ring end : ends) {
        const Ring mask = kept == 64 ? ~Ring{0} : (Ring{1} << kept) - 1;
        numbers.push_back(((end >> low) ^ Ring{1} << (kept - 1)) & mask);
    }
    const std::vector<Monomials> digits = monomials_of(party, value, words);
    std::vector<ByNumber> ranges;
    for (size_t d = 0; d < digits.size(); ++d) {
        ranges.push_back(compare_digit(party, digits[d], numbers, d * kDigit));
    }
    const ByNumber compared = join_ranges(party, std::move(ranges), numbers);
    SharedBits out(ends.size() * words * 64);
    for (size_t k = 0; k < ends.size(); ++k) {
        const Planes& plane = compared.at(numbers[k]).at_least;
        std::copy_n(plane.first.data(), words, &out.first[k * words]);
        std::copy_n(plane.second.data(), words, &out.second[k * words]);
    }
    return out;
}

}  // namespace ward::mpc::internal
