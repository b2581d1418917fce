// A party that deviates and stays consistent: it sends a wrong result and goes on with it itself.
// Nothing but the relation it has to prove tells (deviation_test.cc changes messages on their way,
// which mostly shows in the parts that come later).
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "ward/core/error.h"
#include "ward/core/random.h"
#include "ward/core/testing/errors.h"
#include "ward/mpc/internal/roles.h"
#include "ward/mpc/internal/terms.h"
#include "ward/mpc/internal/verify.h"
#include "ward/mpc/local.h"
#include "ward/mpc/multiply.h"
#include "ward/mpc/share.h"

namespace ward::mpc {
namespace {

using internal::NumberRelations;
using internal::Width;

constexpr PartyOptions kMaliciously = {.security = Security::kMalicious};

// What the deviating party adds to element `at` of its message.
struct Deviation {
    int party;
    size_t at;
    Ring error;
};

Ring error_at(const Party& party, const Deviation& deviation, size_t i) {
    return party.index() == deviation.party && i == deviation.at ? deviation.error : 0;
}

bool is_caught(const std::function<void(Party&)>& program) {
    try {
        run_local(
            [&](Party& party) {
                program(party);
                party.verify();
            },
            kMaliciously);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kCorrupt) << error.message();
        return true;
    }
    return false;
}

// In the session of every party: u and a from key i, v from key i + 1, and b = -(u v + a) + error,
// which the prover sends to its right verifier. Two products for each relation.
void relations(Party& party, Width width, size_t count, const Deviation& deviation) {
    constexpr size_t kTerms = 2;
    const int self = party.index(), next = (self + 1) % 3, previous = (self + 2) % 3;
    NumberRelations& relations = party.verifier()->numbers(width);
    const RingVector u = party.draw(self, kTerms * count), a = party.draw(self, count);
    const RingVector left_u = party.draw(next, kTerms * count), left_a = party.draw(next, count);
    const RingVector v = party.draw(next, kTerms * count),
                     right_v = party.draw(self, kTerms * count);
    RingVector b(count), right_b(count);
    for (size_t i = 0; i < count; ++i) {
        b[i] = error_at(party, deviation, i) - a[i];
        for (size_t k = 0; k < kTerms; ++k) b[i] -= u[k * count + i] * v[k * count + i];
    }
    Party::Round round(party);
    round.send(next, b);
    round.receive(previous, right_b);
    round.finish();
    const auto proved = relations.add_numbers(internal::kProver, count, kTerms);
    const auto left = relations.add_numbers(internal::kLeft, count, kTerms);
    const auto right = relations.add_numbers(internal::kRight, count, kTerms);
    std::copy(u.begin(), u.end(), proved.u);
    std::copy(v.begin(), v.end(), proved.v);
    if (proved.claim != nullptr) std::copy(b.begin(), b.end(), proved.claim);
    std::copy(left_u.begin(), left_u.end(), left.u);
    std::copy(left_a.begin(), left_a.end(), left.claim);
    std::copy(right_v.begin(), right_v.end(), right.v);
    std::copy(right_b.begin(), right_b.end(), right.claim);
}

// Numbers and packed bits in turn, read from anywhere.
TEST(Terms, AreWhatWasPutIn) {
    Random random = Random::from_system();
    internal::Terms terms;
    RingVector expected;
    for (size_t count : {size_t{1}, size_t{64}, size_t{130}, size_t{1000}}) {
        RingVector words(words_for_bits(count));
        random.fill(std::span<uint64_t>(words));
        const Ring base = random.next_u64(), slope = random.next_u64();
        terms.add_bits(words, count, base, slope);
        for (size_t i = 0; i < count; ++i) {
            expected.push_back(base + slope * (words[i / 64] >> (i % 64) & 1));
        }
        Ring* numbers = terms.add_numbers(count);
        random.fill(std::span<uint64_t>(numbers, count));
        expected.insert(expected.end(), numbers, numbers + count);
    }
    ASSERT_EQ(terms.size(), expected.size());
    expected.resize(expected.size() + 100, Ring{0});  // zeros behind the end
    for (size_t at = 0; at < expected.size(); at += 37) {
        for (size_t count : {size_t{1}, size_t{63}, size_t{700}}) {
            if (at + count > expected.size()) continue;
            RingVector read(count);
            terms.read(at, count, read.data());
            ASSERT_TRUE(std::equal(read.begin(), read.end(), &expected[at])) << at << " " << count;
        }
    }
}

TEST(Relations, OfNumbersThatAreWrongAreCaughtAtEveryBitThatMatters) {
    for (size_t count : {size_t{1}, size_t{77}, size_t{6000}}) {
        for (int party : {0, 1, 2}) {
            for (int bit : {0, 13, 21, 63}) {
                const Deviation wrong = {party, count / 2, Ring{1} << bit};
                const auto run = [&](Width width, const Deviation& deviation) {
                    return is_caught([&](Party& p) { relations(p, width, count, deviation); });
                };
                EXPECT_TRUE(run(Width::kWide, wrong)) << count << " " << party << " " << bit;
                if (bit > 21) continue;
                EXPECT_TRUE(run(Width::kNarrow, wrong)) << count << " " << party << " " << bit;
            }
        }
        for (Width width : {Width::kNarrow, Width::kWide}) {
            EXPECT_FALSE(is_caught([&](Party& p) { relations(p, width, count, {0, 0, 0}); }));
        }
    }
}

SharedMatrix random_shared(Party& party, size_t rows, size_t cols) {
    SharedMatrix out(rows, cols);
    party.draw(party.index(), std::span<Ring>(out.first));
    party.draw((party.index() + 1) % 3, std::span<Ring>(out.second));
    return out;
}

// x y of which the deviating party has added an error to its part.
void matrix_product(Party& party, size_t m, size_t k, size_t n, const Deviation& deviation) {
    const SharedMatrix x = random_shared(party, m, k), y = random_shared(party, k, n);
    SharedMatrix out(m, n);
    for (size_t i = 0; i < m * n; ++i) {
        Ring sum = error_at(party, deviation, i);
        for (size_t j = 0; j < k; ++j) {
            const size_t in_x = i / n * k + j, in_y = j * n + i % n;
            sum +=
                x.first[in_x] * (y.first[in_y] + y.second[in_y]) + x.second[in_x] * y.first[in_y];
        }
        out.first[i] = sum;
    }
    internal::Reshared masks;
    internal::reshare(party, out, &masks);
    const internal::MatrixRelations::Factors factors[] = {{&x, &y}};
    party.verifier()->matrices().add(factors, masks.own_mask, masks.next_mask, out.second);
}

TEST(Relations, OfMatrixProductsThatAreWrongAreCaught) {
    const size_t shapes[][3] = {{1, 1, 1}, {60, 7, 3}, {3, 9, 70}, {50, 64, 50}};
    for (const auto& [m, k, n] : shapes) {
        for (int party : {0, 1, 2}) {
            for (int bit : {0, 31, 63}) {
                const Deviation wrong = {party, m * n - 1, Ring{1} << bit};
                EXPECT_TRUE(is_caught([&](Party& p) { matrix_product(p, m, k, n, wrong); }))
                    << m << " " << party << " " << bit;
            }
        }
        EXPECT_FALSE(is_caught([&](Party& p) { matrix_product(p, m, k, n, {0, 0, 0}); }));
    }
}

void bit_product(Party& party, size_t words, const Deviation& deviation) {
    const int self = party.index(), next = (self + 1) % 3, previous = (self + 2) % 3;
    const RingVector x = party.draw(self, words), x2 = party.draw(next, words);
    const RingVector y = party.draw(self, words), y2 = party.draw(next, words);
    const RingVector own_mask = party.draw(self, words), next_mask = party.draw(next, words);
    RingVector sent(words), received(words);
    for (size_t i = 0; i < words; ++i) {
        sent[i] = (x[i] & (y[i] ^ y2[i])) ^ (x2[i] & y[i]) ^ own_mask[i] ^ next_mask[i] ^
                  error_at(party, deviation, i);
    }
    Party::Round round(party);
    round.send(previous, sent);
    round.receive(next, received);
    round.finish();
    party.verifier()->bits().add({x, x2}, {y, y2}, own_mask, next_mask, received);
}

TEST(Relations, OfBitsThatAreWrongAreCaughtAtEveryPlace) {
    for (size_t words : {size_t{1}, size_t{100}, size_t{5000}}) {
        for (int party : {0, 1, 2}) {
            for (int bit : {0, 1, 40, 63}) {
                const Deviation wrong = {party, words - 1, Ring{1} << bit};
                EXPECT_TRUE(is_caught([&](Party& p) { bit_product(p, words, wrong); }))
                    << words << " " << party << " " << bit;
            }
        }
        EXPECT_FALSE(is_caught([&](Party& p) { bit_product(p, words, {0, 0, 0}); }));
    }
}

// A pass of a shuffle (shuffle.cc) by a permutation that all of this test know. The deviating party
// adds an error to its part or, when that is 0, exchanges two rows.
constexpr Deviation kNone = {-1, 0, 0};

void shuffle_pass(Party& party, int pivot, size_t rows, size_t cols, const Deviation& deviation) {
    const internal::Roles roles(party, pivot);
    SharedMatrix x = random_shared(party, rows, cols), out(rows, cols);
    RingVector part;
    std::vector<uint32_t> order(roles.role == 0 ? 0 : rows);
    for (size_t r = 0; r < order.size(); ++r) order[r] = static_cast<uint32_t>((r + 2) % rows);
    if (roles.role != 0) {
        std::vector<uint32_t> own = order;
        if (party.index() == deviation.party && deviation.error == 0) std::swap(own[0], own[1]);
        part = internal::permuted(x.second, cols, own);
        const RingVector first = internal::permuted(x.first, cols, own);
        for (size_t i = 0; i < part.size(); ++i) {
            part[i] += (roles.role == 1 ? first[i] : 0) + error_at(party, deviation, i);
        }
    }
    internal::join<internal::Add>(party, roles, part, rows * cols, out.first, out.second);
    party.verifier()->shuffles().add(roles, std::move(x), std::move(order), part, out);
}

TEST(Relations, OfShufflesThatAreWrongAreCaught) {
    const size_t shapes[][2] = {{2, 1}, {5, 3}, {70, 1}, {400, 60}};
    for (const auto& [rows, cols] : shapes) {
        for (int pivot : {0, 1, 2}) {
            const auto caught = [&](const Deviation& deviation) {
                return is_caught([&](Party& p) { shuffle_pass(p, pivot, rows, cols, deviation); });
            };
            EXPECT_FALSE(caught(kNone)) << rows;
            for (int step : {1, 2}) {
                const int party = (pivot + step) % 3;
                EXPECT_TRUE(caught({party, 0, 0})) << rows << " " << pivot << " " << step;
                for (int bit : {0, 33, 63}) {
                    const Deviation wrong = {party, rows * cols - 1, Ring{1} << bit};
                    EXPECT_TRUE(caught(wrong)) << rows << " " << pivot << " " << step;
                }
            }
        }
    }
}

// Wrong ones among many right ones of all kinds.
TEST(Relations, OfAllKindsTogether) {
    for (int wrong = -1; wrong < 5; ++wrong) {
        const Deviation deviation = {1, 2, 2};
        const bool caught = is_caught([&](Party& party) {
            relations(party, Width::kNarrow, 500, wrong == 0 ? deviation : kNone);
            bit_product(party, 300, wrong == 1 ? deviation : kNone);
            relations(party, Width::kWide, 300, wrong == 2 ? deviation : kNone);
            matrix_product(party, 20, 10, 5, wrong == 3 ? deviation : kNone);
            for (int pivot : {0, 1, 2}) {
                shuffle_pass(party, pivot, 9, 2, wrong == 4 && pivot == 0 ? deviation : kNone);
            }
        });
        EXPECT_EQ(caught, wrong >= 0) << wrong;
    }
}

}  // namespace
}  // namespace ward::mpc
