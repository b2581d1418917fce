#include "ward/mpc/shuffle.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "ward/core/error.h"
#include "ward/core/key_stream.h"
#include "ward/mpc/internal/roles.h"
#include "ward/mpc/internal/verify.h"

namespace ward::mpc {
namespace {

using internal::Roles;
using net::TrafficLedger;

// Uniform on 0, ..., n - 1 from a stream that two parties read alike (Lemire 2019).
class CommonDice {
  public:
    explicit CommonDice(SecretBytes key) : stream_(std::move(key)) {}

    uint32_t below(uint32_t n) {
        while (true) {
            const uint64_t product = (next() >> 32) * n;
            const auto low = static_cast<uint32_t>(product);
            if (low >= n || low >= (0u - n) % n) return static_cast<uint32_t>(product >> 32);
        }
    }

  private:
    uint64_t next() {
        if (used_ == words_.size()) {
            stream_.fill(std::span<uint64_t>(words_));
            used_ = 0;
        }
        return words_[used_++];
    }

    KeyStream stream_;
    std::array<uint64_t, 1024> words_;
    size_t used_ = words_.size();
};

// A permutation that only the holders of part `share` know.
std::vector<uint32_t> draw_order(Party& party, int share, size_t count) {
    std::array<Ring, KeyStream::kKeyBytes / sizeof(Ring)> words;
    party.draw(share, std::span<Ring>(words));
    SecretBytes key(KeyStream::kKeyBytes);
    std::memcpy(key.reveal_mutable().data(), words.data(), KeyStream::kKeyBytes);
    wipe(words.data(), sizeof(words));
    CommonDice dice(std::move(key));
    std::vector<uint32_t> order(count);
    std::iota(order.begin(), order.end(), uint32_t{0});
    for (size_t i = count; i > 1; --i) {
        std::swap(order[i - 1], order[dice.below(static_cast<uint32_t>(i))]);
    }
    return order;
}

// Roles 1 and 2 permute; the pivot only draws its parts of the result. Recorded for verification.
SharedMatrix permute_without(Party& party, SharedMatrix x, int pivot) {
    const Roles roles(party, pivot);
    std::vector<uint32_t> order;
    RingVector part;
    if (roles.role != 0) {
        order = draw_order(party, roles.two, x.rows);
        // x = (part p+1 + part p+2) at role 1, and part p at role 2.
        part = internal::permuted(x.second, x.cols, order);
    }
    if (roles.role == 1) {
        const RingVector first = internal::permuted(x.first, x.cols, order);
        for (size_t i = 0; i < part.size(); ++i) part[i] += first[i];
    }
    SharedMatrix out;
    out.rows = x.rows;
    out.cols = x.cols;
    internal::join<internal::Add>(party, roles, part, x.size(), out.first, out.second);
    if (party.verifier() != nullptr) {
        party.verifier()->shuffles().add(roles, std::move(x), std::move(order), part, out);
    }
    return out;
}

}  // namespace

SharedMatrix shuffle_rows(Party& party, const SharedMatrix& x) {
    const TrafficLedger::Scope scope(party.ledger(), "shuffle");
    if (x.rows > std::numeric_limits<uint32_t>::max()) {
        throw Error(ErrorCode::kUsage, "a table to shuffle must have fewer than 2^32 rows, got " +
                                           std::to_string(x.rows));
    }
    if (x.size() == 0) return x;
    SharedMatrix out = permute_without(party, x, 0);
    out = permute_without(party, std::move(out), 1);
    return permute_without(party, std::move(out), 2);
}

SharedMatrix stack_rows(std::span<const SharedMatrix> tables) {
    if (tables.empty()) throw Error(ErrorCode::kUsage, "no tables to stack");
    SharedMatrix out;
    out.cols = tables[0].cols;
    for (size_t t = 0; t < tables.size(); ++t) {
        if (tables[t].cols != out.cols) {
            throw Error(ErrorCode::kUsage, "table " + std::to_string(t) + " has " +
                                               std::to_string(tables[t].cols) +
                                               " columns, table 0 has " + std::to_string(out.cols));
        }
        out.rows += tables[t].rows;
        out.first.insert(out.first.end(), tables[t].first.begin(), tables[t].first.end());
        out.second.insert(out.second.end(), tables[t].second.begin(), tables[t].second.end());
    }
    return out;
}

SharedMatrix stack_columns(std::span<const SharedMatrix> tables) {
    if (tables.empty()) throw Error(ErrorCode::kUsage, "no tables to stack");
    size_t cols = 0;
    for (size_t t = 0; t < tables.size(); ++t) {
        if (tables[t].rows != tables[0].rows) {
            throw Error(ErrorCode::kUsage,
                        "table " + std::to_string(t) + " has " + std::to_string(tables[t].rows) +
                            " rows, table 0 has " + std::to_string(tables[0].rows));
        }
        cols += tables[t].cols;
    }
    SharedMatrix out(tables[0].rows, cols);
    size_t at = 0;
    for (const SharedMatrix& table : tables) {
        for (size_t r = 0; r < table.rows; ++r) {
            std::copy_n(table.first.data() + r * table.cols, table.cols, &out.first[r * cols + at]);
            std::copy_n(table.second.data() + r * table.cols, table.cols,
                        &out.second[r * cols + at]);
        }
        at += table.cols;
    }
    return out;
}

SharedMatrix select_columns(const SharedMatrix& x, size_t first, size_t count) {
    if (first > x.cols || count > x.cols - first) {
        throw Error(ErrorCode::kUsage, "columns " + std::to_string(first) + " to " +
                                           std::to_string(first + count) + " of a table of " +
                                           std::to_string(x.cols) + " columns");
    }
    SharedMatrix out(x.rows, count);
    for (size_t r = 0; r < x.rows; ++r) {
        std::copy_n(x.first.data() + r * x.cols + first, count, out.first.data() + r * count);
        std::copy_n(x.second.data() + r * x.cols + first, count, out.second.data() + r * count);
    }
    return out;
}

}  // namespace ward::mpc
