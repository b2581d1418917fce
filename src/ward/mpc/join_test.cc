#include "ward/mpc/join.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <set>

#include "ward/core/testing/errors.h"
#include "ward/mpc/local.h"
#include "ward/mpc/share.h"

namespace ward::mpc {
namespace {

using ::testing::HasSubstr;

// With either security.
void run_both(const std::function<void(Party&)>& program) {
    for (Security security : {Security::kSemiHonest, Security::kMalicious}) {
        run_local(program, {.security = security});
    }
}

struct Owner {
    std::vector<std::string> ids;
    RingMatrix table;  // keys, then payload: `base` + number of the person
};

Owner owner_of(const std::vector<int>& people, Ring base, size_t payload) {
    Owner out;
    for (int person : people) out.ids.push_back("person " + std::to_string(person));
    const RingMatrix keys = hash_identifiers(out.ids, "test", "owner");
    out.table = RingMatrix(people.size(), kKeyColumns + payload);
    for (size_t r = 0; r < people.size(); ++r) {
        Ring* row = &out.table.values[r * out.table.cols];
        std::copy_n(&keys.values[r * kKeyColumns], kKeyColumns, row);
        for (size_t c = 0; c < payload; ++c) {
            row[kKeyColumns + c] = base * (c + 1) + static_cast<Ring>(people[r]);
        }
    }
    return out;
}

std::vector<SharedMatrix> share_all(Party& party, const std::vector<Owner>& owners) {
    std::vector<SharedMatrix> out;
    for (size_t t = 0; t < owners.size(); ++t) {
        const int owner = static_cast<int>(t % 3);
        const RingMatrix& table = owners[t].table;
        out.push_back(
            share(party, owner, party.index() == owner ? &table : nullptr, table.rows, table.cols));
    }
    return out;
}

std::vector<int> people(int first, int last, int step) {
    std::vector<int> out;
    for (int p = first; p < last; p += step) out.push_back(p);
    return out;
}

std::set<RingVector> rows_of(const RingMatrix& x) {
    std::set<RingVector> out;
    for (size_t r = 0; r < x.rows; ++r) {
        const auto begin = x.values.begin() + static_cast<std::ptrdiff_t>(r * x.cols);
        out.emplace(begin, begin + static_cast<std::ptrdiff_t>(x.cols));
    }
    return out;
}

TEST(Join, OfTwoOwnersBringsTheirPayloadTogether) {
    const std::vector<Owner> owners = {owner_of(people(0, 120, 2), 1000, 2),
                                       owner_of(people(0, 120, 3), 5000, 1)};
    std::set<RingVector> expected;
    for (int p : people(0, 120, 6)) {
        const auto person = static_cast<Ring>(p);
        expected.insert({1000 + person, 2000 + person, 5000 + person});
    }
    run_both([&](Party& party) {
        const Joined joined = inner_join(party, share_all(party, owners));
        EXPECT_EQ(joined.rows.rows, 99u);
        const RingMatrix kept = open(party, open_count_and_keep(party, joined));
        EXPECT_EQ(kept.rows, expected.size());
        EXPECT_EQ(rows_of(kept), expected);
    });
}

TEST(Join, OfThreeOwnersKeepsWhoIsInAllOfThem) {
    const std::vector<Owner> owners = {owner_of(people(0, 60, 1), 100, 1),
                                       owner_of(people(0, 60, 2), 200, 3),
                                       owner_of(people(0, 60, 3), 300, 0)};
    std::set<RingVector> expected;
    for (int p : people(0, 60, 6)) {
        const auto person = static_cast<Ring>(p);
        expected.insert({100 + person, 200 + person, 400 + person, 600 + person});
    }
    run_both([&](Party& party) {
        const Joined joined = inner_join(party, share_all(party, owners));
        EXPECT_EQ(rows_of(open(party, open_count_and_keep(party, joined))), expected);
    });
}

TEST(Join, WithNobodyInCommonOrEverybody) {
    const std::vector<Owner> none = {owner_of(people(0, 40, 2), 1, 1),
                                     owner_of(people(1, 40, 2), 2, 1)};
    const std::vector<Owner> all = {owner_of(people(0, 40, 1), 1, 1),
                                    owner_of(people(0, 40, 1), 2, 1)};
    const std::vector<Owner> empty = {owner_of({}, 1, 1), owner_of({3}, 2, 1)};
    run_both([&](Party& party) {
        const auto matches = [&](const std::vector<Owner>& owners) {
            const Joined joined = inner_join(party, share_all(party, owners));
            return open_count_and_keep(party, joined).rows;
        };
        EXPECT_EQ(matches(none), 0u);
        EXPECT_EQ(matches(all), 40u);
        EXPECT_EQ(matches(empty), 0u);
    });
}

TEST(Join, KeepsAPublicNumberOfRowsAndTellsNobodyHowManyMatch) {
    const std::vector<Owner> owners = {owner_of(people(0, 30, 1), 1000, 1),
                                       owner_of(people(0, 30, 3), 2000, 1)};
    run_both([&](Party& party) {
        const Joined joined = inner_join(party, share_all(party, owners));
        const net::Traffic before = party.ledger().total("join");
        const RingMatrix kept = open(party, keep_at_most(party, joined, 15));
        EXPECT_EQ(party.ledger().total("join"), before);
        ASSERT_EQ(kept.rows, 15u);
        ASSERT_EQ(kept.cols, 3u);
        std::set<Ring> found;
        for (size_t r = 0; r < 15; ++r) {
            const Ring* row = &kept.values[3 * r];
            EXPECT_EQ(row[2], r < 10 ? 1u : 0u);
            if (r < 10) {
                EXPECT_EQ(row[1], row[0] + 1000);
                found.insert(row[0]);
            } else {
                EXPECT_EQ(row[0], 0u);
                EXPECT_EQ(row[1], 0u);
            }
        }
        EXPECT_EQ(found.size(), 10u);
        EXPECT_THAT(
            testonly::message_of([&] { (void)keep_at_most(party, joined, 40); }, ErrorCode::kUsage),
            HasSubstr("at most 39 rows can be kept, got 40"));
    });
}

// A table of (first hash, second hash, payload).
Owner made_up(const std::vector<std::array<Ring, 3>>& rows) {
    Owner out;
    out.table = RingMatrix(rows.size(), 3);
    for (size_t r = 0; r < rows.size(); ++r) {
        std::copy_n(rows[r].data(), 3, &out.table.values[3 * r]);
    }
    return out;
}

using JoinFunction = Joined (*)(Party&, std::span<const SharedMatrix>,
                                std::span<const std::string>);
constexpr JoinFunction kJoins[] = {inner_join, distinct_rows};

void expect_refused(const std::vector<Owner>& owners, size_t table) {
    run_both([&](Party& party) {
        const std::vector<SharedMatrix> tables = share_all(party, owners);
        for (JoinFunction join : kJoins) {
            EXPECT_THAT(
                testonly::message_of([&] { (void)join(party, tables, {}); }, ErrorCode::kInvalid),
                HasSubstr("table " + std::to_string(table) + " of a join has a hash"));
            const std::vector<std::string> names = {"bank-a", "bank-b", "bank-c"};
            EXPECT_THAT(testonly::message_of([&] { (void)join(party, tables, names); }),
                        HasSubstr("the table of " + names[table] + " has a hash"));
        }
    });
}

// Whose rows would match one another, and bring the other owners' columns with them.
TEST(Join, RefusesAnOwnerThatRepeatsAHash) {
    const Owner honest = owner_of({1, 2, 3}, 100, 1);
    const Owner twice = made_up({{5, 6, 7}, {5, 6, 8}});
    expect_refused({honest, twice}, 1);
    expect_refused({twice, honest}, 0);
    expect_refused({twice, honest, owner_of({4}, 1, 1)}, 0);                // tags 0, 0, 2
    expect_refused({made_up({{5, 6, 1}}), twice, owner_of({4}, 1, 1)}, 1);  // 0, 1, 1
    expect_refused({honest, made_up({{5, 6, 7}, {5, 9, 8}})}, 1);
}

TEST(Join, RefusesARepeatedHashBesideATrueMatch) {
    const Owner honest = made_up({{5, 6, 1}, {9, 1, 2}});
    expect_refused({honest, made_up({{3, 3, 3}, {5, 6, 7}, {5, 6, 8}})}, 1);
    expect_refused({honest, made_up({{5, 6, 7}, {3, 3, 3}, {5, 6, 8}})}, 1);  // in no order
}

TEST(Join, RefusesHashesOutOfRange) {
    const Owner honest = made_up({{5, 6, 1}, {9, 1, 2}});
    constexpr Ring kEnd = Ring{1} << 58;
    for (Ring hash : {kEnd, Ring{1} << 59, Ring{1} << 63, ~Ring{0}}) {
        expect_refused({honest, made_up({{4, 6, 7}, {hash, 6, 7}})}, 1);
        expect_refused({honest, made_up({{hash, 6, 7}, {4, 6, 7}})}, 1);
    }
    expect_refused({honest, made_up({{kEnd, 6, 7}})}, 1);
    // Steps of at most 2^63 that go once around.
    expect_refused(
        {honest, made_up({{4, 6, 7}, {Ring{1} << 62, 6, 7}, {Ring{3} << 62, 6, 7}, {5, 6, 7}})}, 1);
}

TEST(Join, TakesTheLeastAndTheLargestHash) {
    constexpr Ring kLast = (Ring{1} << 58) - 1;
    const std::vector<Owner> owners = {made_up({{0, 6, 1}, {kLast, 0, 2}}),
                                       made_up({{kLast, 0, 20}, {0, 6, 10}})};
    run_both([&](Party& party) {
        const Joined joined = inner_join(party, share_all(party, owners));
        EXPECT_EQ(rows_of(open(party, open_count_and_keep(party, joined))),
                  (std::set<RingVector>{{1, 10}, {2, 20}}));
    });
}

// One owner's second hash differs, or the first hashes do.
TEST(Join, WantsBothHashesOfEveryTable) {
    const std::vector<Owner> owners = {made_up({{5, 6, 1}, {7, 6, 2}, {20, 4, 3}}),
                                       made_up({{5, 60, 10}, {8, 6, 20}, {20, 4, 30}}),
                                       made_up({{5, 6, 100}, {9, 6, 200}, {20, 4, 300}})};
    run_both([&](Party& party) {
        const Joined joined = inner_join(party, share_all(party, owners));
        EXPECT_EQ(rows_of(open(party, open_count_and_keep(party, joined))),
                  (std::set<RingVector>{{3, 30, 300}}));
    });
}

// Rows of the last tables stand before those of the first ones that have the next hash.
TEST(Join, OfSixteenOwnersKeepsNeighbouringHashesApart) {
    std::vector<Owner> owners;
    for (Ring t = 0; t < kMaxJoinTables; ++t) {
        owners.push_back(made_up({{t < 8 ? Ring{8} : Ring{7}, 6, 100 + t}, {10, 6, t}}));
    }
    run_local([&](Party& party) {
        const std::vector<SharedMatrix> tables = share_all(party, owners);
        const RingMatrix kept = open(party, open_count_and_keep(party, inner_join(party, tables)));
        ASSERT_EQ(kept.rows, 1u);
        for (Ring t = 0; t < kMaxJoinTables; ++t) EXPECT_EQ(kept.values[t], t);
        const Joined united = distinct_rows(party, tables);
        EXPECT_EQ(rows_of(open(party, open_count_and_keep(party, united))),
                  (std::set<RingVector>{{0}, {100}, {108}}));
    });
}

Owner in_order_of_hashes(const Owner& owner) {
    Owner out = owner;
    const std::vector<size_t> order = rows_by_hash(owner.table);
    const size_t cols = owner.table.cols;
    for (size_t r = 0; r < order.size(); ++r) {
        std::copy_n(&owner.table.values[order[r] * cols], cols, &out.table.values[r * cols]);
    }
    return out;
}

TEST(Join, OfTablesInTheOrderOfTheirHashesIsTheSameAndCheaper) {
    const std::vector<Owner> any = {owner_of(people(0, 40, 1), 100, 1),
                                    owner_of(people(0, 40, 2), 200, 1)};
    const std::vector<Owner> ordered = {in_order_of_hashes(any[0]), in_order_of_hashes(any[1])};
    run_both([&](Party& party) {
        const auto join = [&](const std::vector<Owner>& owners, uint64_t& bytes) {
            const std::vector<SharedMatrix> tables = share_all(party, owners);
            const uint64_t before = party.ledger().total("join").bytes_sent;
            const Joined joined = inner_join(party, tables);
            bytes = party.ledger().total("join").bytes_sent - before;
            return rows_of(open(party, open_count_and_keep(party, joined)));
        };
        uint64_t of_any = 0, of_ordered = 0;
        const std::set<RingVector> expected = join(any, of_any);
        EXPECT_EQ(expected.size(), 20u);
        EXPECT_EQ(join(ordered, of_ordered), expected);
        EXPECT_LT(of_ordered, of_any);
    });
}

TEST(Union, LeavesOneRowPerPersonThatOfTheFirstOwner) {
    const std::vector<Owner> owners = {owner_of(people(0, 70, 2), 1000, 1),
                                       owner_of(people(0, 70, 3), 2000, 1),
                                       owner_of(people(0, 70, 5), 3000, 1)};
    std::set<RingVector> expected;
    for (int p = 0; p < 70; ++p) {
        const auto person = static_cast<Ring>(p);
        if (p % 2 == 0) {
            expected.insert({1000 + person});
        } else if (p % 3 == 0) {
            expected.insert({2000 + person});
        } else if (p % 5 == 0) {
            expected.insert({3000 + person});
        }
    }
    run_both([&](Party& party) {
        const Joined joined = distinct_rows(party, share_all(party, owners));
        const RingMatrix kept = open(party, open_count_and_keep(party, joined));
        EXPECT_EQ(kept.rows, expected.size());
        EXPECT_EQ(rows_of(kept), expected);
    });
}

TEST(Identifiers, AreRefusedWhenTheyRepeatOrAreEmpty) {
    const std::vector<std::string> twice = {"a", "b", "a"}, empty = {"a", ""};
    EXPECT_THAT(testonly::message_of([&] { (void)hash_identifiers(twice, "d", "bank.csv"); },
                                     ErrorCode::kInvalid),
                HasSubstr("bank.csv: the identifier of row 2 is that of row 0"));
    EXPECT_THAT(testonly::message_of([&] { (void)hash_identifiers(empty, "d", "bank.csv"); },
                                     ErrorCode::kInvalid),
                HasSubstr("row 1 is empty"));
}

TEST(Identifiers, HashesDependOnTheDomainAndStayInRange) {
    const std::vector<std::string> ids = {"a", "b", "c"};
    const RingMatrix one = hash_identifiers(ids, "x", ""), other = hash_identifiers(ids, "y", "");
    for (size_t i = 0; i < one.size(); ++i) {
        EXPECT_NE(one.values[i], other.values[i]);
        EXPECT_LT(one.values[i], i % 2 == 0 ? Ring{1} << 58 : Ring{1} << 63);
    }
}

TEST(Join, RefusesTablesWithoutKeys) {
    run_both([](Party& party) {
        const SharedMatrix tables[] = {SharedMatrix(3, 4), SharedMatrix(3, 1)};
        EXPECT_THAT(
            testonly::message_of([&] { (void)inner_join(party, tables); }, ErrorCode::kUsage),
            HasSubstr("table 1 of a join has 1 columns, expected 2"));
        EXPECT_THAT(testonly::message_of([&] { (void)inner_join(party, std::span(tables, 1)); },
                                         ErrorCode::kUsage),
                    HasSubstr("2 to 16 tables, got 1"));
    });
}

}  // namespace
}  // namespace ward::mpc
