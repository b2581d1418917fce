#include "ward/mpc/join.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <unordered_map>
#include <vector>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/internal/join_keys.h"
#include "ward/mpc/multiply.h"
#include "ward/mpc/share.h"
#include "ward/mpc/shuffle.h"
#include "ward/mpc/sort.h"

namespace ward::mpc {
namespace {

using net::TrafficLedger;

using internal::kHashBits;

constexpr int kCheckBits = 63;
// Keys are hash * 32 + table: those of one hash are less than 16 apart, others at least 17.
constexpr Ring kTableFactor = 2 * kMaxJoinTables;
static_assert(kTableFactor << (kHashBits - 1) <= Ring{1} << 62, "differences of keys would wrap");

Ring from_hex(std::string_view digits, int bits) {
    Ring out = 0;
    for (char digit : digits.substr(0, 16)) {
        out = out << 4 | static_cast<Ring>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    return out >> (64 - bits);
}

void require_tables(std::span<const SharedMatrix> tables) {
    if (tables.size() < 2 || tables.size() > kMaxJoinTables) {
        throw Error(ErrorCode::kUsage,
                    "a join takes 2 to 16 tables, got " + std::to_string(tables.size()));
    }
    for (size_t t = 0; t < tables.size(); ++t) {
        if (tables[t].cols >= kKeyColumns) continue;
        throw Error(ErrorCode::kUsage, "table " + std::to_string(t) + " of a join has " +
                                           std::to_string(tables[t].cols) +
                                           " columns, expected 2 of keys and then payload");
    }
}

// All tables under one another with such keys, short rows filled up with zeros.
SharedMatrix keyed_rows(const Party& party, std::span<const SharedMatrix> tables) {
    size_t rows = 0, cols = 0;
    for (const SharedMatrix& table : tables) {
        rows += table.rows;
        cols = std::max(cols, table.cols);
    }
    SharedMatrix out(rows, cols);
    std::fill(out.first.begin(), out.first.end(), Ring{0});
    std::fill(out.second.begin(), out.second.end(), Ring{0});
    size_t to = 0;
    for (size_t t = 0; t < tables.size(); ++t) {
        const SharedMatrix& table = tables[t];
        const Ring first = party.index() == 0 ? t : 0, second = party.index() == 2 ? t : 0;
        for (size_t r = 0; r < table.rows; ++r, to += cols) {
            std::copy_n(&table.first[r * table.cols], table.cols, &out.first[to]);
            std::copy_n(&table.second[r * table.cols], table.cols, &out.second[to]);
            out.first[to] = out.first[to] * kTableFactor + first;
            out.second[to] = out.second[to] * kTableFactor + second;
        }
    }
    return out;
}

// Column c of row i + step minus that of row i, plus a public constant, for all i.
SharedMatrix column_steps(const Party& party, const SharedMatrix& x, size_t column, size_t step,
                          Ring constant) {
    SharedMatrix out(x.rows - step, 1);
    for (size_t i = 0; i < out.rows; ++i) {
        const size_t a = i * x.cols + column, b = (i + step) * x.cols + column;
        out.first[i] = x.first[b] - x.first[a];
        out.second[i] = x.second[b] - x.second[a];
    }
    return add_public(party, out, constant);
}

// [row i and row i + 1 are of one identifier], given that the keys ascend and differ.
SharedBits same_as_next(Party& party, const SharedMatrix& sorted) {
    const SharedBits near =
        is_negative(party, column_steps(party, sorted, 0, 1, 0 - Ring{kMaxJoinTables}));
    const SharedBits equal = internal::is_zero(party, column_steps(party, sorted, 1, 1, 0));
    return bit_and(party, near, equal);
}

// The order is opened on the way, which tells nothing of keys that differ: of hashes that one owner
// repeats it would tell how many rows of the others lie between two of them, so such an owner is
// refused before.
SharedMatrix sorted_by_key(Party& party, std::span<const SharedMatrix> tables,
                           std::span<const std::string> owners) {
    internal::require_own_hashes(party, tables, owners);
    return sort_distinct_rows(party, keyed_rows(party, tables), 0);
}

SharedMatrix first_rows(const SharedMatrix& x, size_t rows) {
    SharedMatrix out(rows, x.cols);
    std::copy_n(x.first.data(), out.size(), out.first.data());
    std::copy_n(x.second.data(), out.size(), out.second.data());
    return out;
}

}  // namespace

RingMatrix hash_identifiers(std::span<const std::string> identifiers, std::string_view domain,
                            std::string_view what) {
    RingMatrix out(identifiers.size(), kKeyColumns);
    std::unordered_map<std::string_view, size_t> seen;
    seen.reserve(identifiers.size());
    const std::string prefix =
        "ward mpc join|" + std::to_string(domain.size()) + "|" + std::string(domain) + "|";
    for (size_t i = 0; i < identifiers.size(); ++i) {
        const auto [earlier, fresh] = seen.emplace(identifiers[i], i);
        if (identifiers[i].empty() || !fresh) {
            throw Error(
                ErrorCode::kInvalid,
                std::string(what) + ": the identifier of row " + std::to_string(i) +
                    (fresh ? " is empty" : " is that of row " + std::to_string(earlier->second)),
                "every row needs an identifier of its own");
        }
        const std::string digest = sha256_hex(prefix + identifiers[i]);
        out.values[2 * i] = from_hex(digest, kHashBits);
        out.values[2 * i + 1] = from_hex(std::string_view(digest).substr(16), kCheckBits);
    }
    return out;
}

std::vector<size_t> rows_by_hash(const RingMatrix& keys) {
    std::vector<size_t> out(keys.rows);
    std::iota(out.begin(), out.end(), size_t{0});
    std::sort(out.begin(), out.end(), [&](size_t a, size_t b) {
        return keys.values[a * keys.cols] < keys.values[b * keys.cols];
    });
    return out;
}

Joined inner_join(Party& party, std::span<const SharedMatrix> tables,
                  std::span<const std::string> owners) {
    const TrafficLedger::Scope scope(party.ledger(), "join");
    require_tables(tables);
    const SharedMatrix sorted = sorted_by_key(party, tables, owners);
    Joined out;
    size_t width = 0;
    for (const SharedMatrix& table : tables) width += table.cols - kKeyColumns;
    const size_t step = tables.size() - 1;
    if (sorted.rows <= step) {
        out.rows.cols = width;
        return out;
    }
    // No table has a hash twice, so T neighbours of one hash are of T tables, in their order.
    out.matched = internal::runs_of_ones(party, same_as_next(party, sorted), step);
    out.rows = SharedMatrix(sorted.rows - step, width);
    for (size_t r = 0; r < out.rows.rows; ++r) {
        size_t to = r * width;
        for (size_t t = 0; t < tables.size(); ++t) {
            const size_t count = tables[t].cols - kKeyColumns;
            const size_t from = (r + t) * sorted.cols + kKeyColumns;
            std::copy_n(sorted.first.data() + from, count, out.rows.first.data() + to);
            std::copy_n(sorted.second.data() + from, count, out.rows.second.data() + to);
            to += count;
        }
    }
    return out;
}

Joined distinct_rows(Party& party, std::span<const SharedMatrix> tables,
                     std::span<const std::string> owners) {
    const TrafficLedger::Scope scope(party.ledger(), "distinct");
    require_tables(tables);
    (void)stack_rows(tables);  // refuses different columns
    const SharedMatrix sorted = sorted_by_key(party, tables, owners);
    Joined out;
    out.rows = select_columns(sorted, kKeyColumns, sorted.cols - kKeyColumns);
    if (sorted.rows == 0) return out;
    // Kept is who is not the same as the row before.
    out.matched = SharedBits(sorted.rows);
    if (sorted.rows > 1) {
        const SharedBits repeated = same_as_next(party, sorted);
        for (size_t w = 0; w < out.matched.first.size(); ++w) {
            const auto shifted = [w](const RingVector& from) {
                const Ring here = w < from.size() ? from[w] << 1 : 0;
                const Ring carried = w > 0 ? from[w - 1] >> 63 : 0;
                return here | carried;
            };
            out.matched.first[w] = shifted(repeated.first);
            out.matched.second[w] = shifted(repeated.second);
        }
    } else {
        std::fill(out.matched.first.begin(), out.matched.first.end(), Ring{0});
        std::fill(out.matched.second.begin(), out.matched.second.end(), Ring{0});
    }
    out.matched = bit_not(party, out.matched);
    return out;
}

SharedMatrix open_count_and_keep(Party& party, const Joined& joined) {
    const TrafficLedger::Scope scope(party.ledger(), "keep");
    if (joined.rows.rows == 0) return joined.rows;
    const SharedMatrix parts[] = {to_ring(party, joined.matched, joined.rows.rows, 1), joined.rows};
    const SharedMatrix shuffled = shuffle_rows(party, stack_columns(parts));
    const RingMatrix matched = open(party, select_columns(shuffled, 0, 1));
    std::vector<size_t> kept;
    for (size_t i = 0; i < matched.rows; ++i) {
        if (matched.values[i] == 1) kept.push_back(i);
    }
    return select_columns(select_rows(shuffled, kept), 1, joined.rows.cols);
}

SharedMatrix keep_at_most(Party& party, const Joined& joined, size_t rows) {
    const TrafficLedger::Scope scope(party.ledger(), "keep");
    if (rows > joined.rows.rows) {
        throw Error(ErrorCode::kUsage, "at most " + std::to_string(joined.rows.rows) +
                                           " rows can be kept, got " + std::to_string(rows));
    }
    const SharedMatrix flags = to_ring(party, joined.matched, joined.rows.rows, 1);
    const SharedMatrix parts[] = {joined.rows, flags};
    const SharedMatrix kept =
        first_rows(partition_rows(party, stack_columns(parts), joined.matched), rows);
    const SharedMatrix values = select_columns(kept, 0, joined.rows.cols);
    const SharedMatrix last = select_columns(kept, joined.rows.cols, 1);
    const SharedMatrix result[] = {multiply(party, values, repeat_column(last, joined.rows.cols)),
                                   last};
    return stack_columns(result);
}

}  // namespace ward::mpc
