#include "ward/mpc/sort.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <string>
#include <vector>

#include "ward/core/error.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/multiply.h"
#include "ward/mpc/share.h"
#include "ward/mpc/shuffle.h"

namespace ward::mpc {
namespace {

using net::TrafficLedger;

constexpr size_t kSampleRatio = 32;
constexpr size_t kSmallest = 256;  // shorter lists are sorted without a sample
constexpr size_t kBatch = size_t{1} << 19;

// Opened order of shuffled keys. Every list below holds row numbers.
class Sorter {
  public:
    Sorter(Party& party, const SharedMatrix& keys, int bits)
        : party_(party), keys_(keys), bits_(bits) {}

    std::vector<uint32_t> sorted(std::vector<uint32_t> rows) {
        std::vector<uint32_t> pivots;
        if (rows.size() > kSmallest) {
            // The rows are in random order, so the first ones are a sample.
            const auto end = rows.begin() + static_cast<std::ptrdiff_t>(rows.size() / kSampleRatio);
            pivots = sorted({rows.begin(), end});
            rows.erase(rows.begin(), end);
        }
        std::vector<size_t> bucket_begin(pivots.size() + 2, rows.size());
        std::vector<Segment> open = {{0, rows.size(), 0, pivots.size()}};
        while (!open.empty()) open = next_level(rows, pivots, open, bucket_begin);
        return assembled(rows, pivots, bucket_begin);
    }

  private:
    // rows[begin, end) lie between pivots[low - 1] and pivots[high].
    struct Segment {
        size_t begin, end, low, high;
    };

    static std::vector<uint32_t> assembled(const std::vector<uint32_t>& rows,
                                           const std::vector<uint32_t>& pivots,
                                           const std::vector<size_t>& bucket_begin) {
        std::vector<uint32_t> out;
        out.reserve(rows.size() + pivots.size());
        for (size_t k = 0; k <= pivots.size(); ++k) {
            for (size_t i = bucket_begin[k]; i < bucket_begin[k + 1]; ++i) out.push_back(rows[i]);
            if (k < pivots.size()) out.push_back(pivots[k]);
        }
        return out;
    }

    std::vector<Segment> next_level(std::vector<uint32_t>& rows,
                                    const std::vector<uint32_t>& pivots,
                                    const std::vector<Segment>& segments,
                                    std::vector<size_t>& bucket_begin) {
        std::vector<uint32_t> left, right;
        for (const Segment& s : segments) {
            if (s.low == s.high && s.begin < bucket_begin[s.low]) bucket_begin[s.low] = s.begin;
            const size_t first = first_compared(s);
            const uint32_t pivot = s.low < s.high    ? pivots[(s.low + s.high) / 2]
                                   : s.begin < s.end ? rows[s.begin]
                                                     : 0;
            left.insert(left.end(), rows.begin() + static_cast<std::ptrdiff_t>(first),
                        rows.begin() + static_cast<std::ptrdiff_t>(s.end));
            right.insert(right.end(), s.end - first, pivot);
        }
        const std::vector<uint8_t> less = compare(left, right);
        std::vector<Segment> out;
        size_t at = 0;
        for (const Segment& s : segments) {
            split(rows, s, &less[at], out);
            at += s.end - first_compared(s);
        }
        return out;
    }

    // Without a pivot of the sample, the first row itself is one.
    static size_t first_compared(const Segment& s) {
        return s.low < s.high ? s.begin : std::min(s.begin + 1, s.end);
    }

    static void split(std::vector<uint32_t>& rows, const Segment& s, const uint8_t* less,
                      std::vector<Segment>& out) {
        const size_t first = first_compared(s);
        std::vector<uint32_t> smaller, larger;
        for (size_t i = first; i < s.end; ++i) {
            (less[i - first] != 0 ? smaller : larger).push_back(rows[i]);
        }
        if (s.low < s.high) {
            const size_t middle = (s.low + s.high) / 2;
            std::copy(larger.begin(), larger.end(),
                      std::copy(smaller.begin(), smaller.end(), rows.data() + s.begin));
            out.push_back({s.begin, s.begin + smaller.size(), s.low, middle});
            out.push_back({s.begin + smaller.size(), s.end, middle + 1, s.high});
            return;
        }
        if (s.end - s.begin < 2) return;
        const uint32_t pivot = rows[s.begin];
        uint32_t* next = std::copy(smaller.begin(), smaller.end(), rows.data() + s.begin);
        *next = pivot;
        std::copy(larger.begin(), larger.end(), next + 1);
        const size_t place = s.begin + smaller.size();
        if (smaller.size() > 1) out.push_back({s.begin, place, s.low, s.high});
        if (larger.size() > 1) out.push_back({place + 1, s.end, s.low, s.high});
    }

    // [key of left[i] < key of right[i]], opened.
    std::vector<uint8_t> compare(const std::vector<uint32_t>& left,
                                 const std::vector<uint32_t>& right) {
        std::vector<uint8_t> out(left.size() + 1);
        for (size_t begin = 0; begin < left.size(); begin += kBatch) {
            const size_t count = std::min(kBatch, left.size() - begin);
            SharedMatrix difference(1, count);
            for (size_t i = 0; i < count; ++i) {
                const size_t l = left[begin + i], r = right[begin + i];
                difference.first[i] = keys_.first[l] - keys_.first[r];
                difference.second[i] = keys_.second[l] - keys_.second[r];
            }
            const RingVector opened = open(party_, is_negative(party_, difference, bits_));
            for (size_t i = 0; i < count; ++i) {
                out[begin + i] = static_cast<uint8_t>(opened[i / 64] >> (i % 64) & 1);
            }
        }
        return out;
    }

    Party& party_;
    const SharedMatrix& keys_;
    int bits_;
};

SharedMatrix gather(const SharedMatrix& x, const std::vector<uint32_t>& order) {
    SharedMatrix out(order.size(), x.cols);
    for (size_t r = 0; r < order.size(); ++r) {
        std::copy_n(&x.first[order[r] * x.cols], x.cols, &out.first[r * x.cols]);
        std::copy_n(&x.second[order[r] * x.cols], x.cols, &out.second[r * x.cols]);
    }
    return out;
}

void require_column(const SharedMatrix& x, size_t column) {
    if (column < x.cols) return;
    throw Error(ErrorCode::kUsage, "no column " + std::to_string(column) + " in a table of " +
                                       std::to_string(x.cols) + " columns");
}

int bits_of_rows(size_t rows) { return rows < 2 ? 0 : std::bit_width(rows - 1); }

// 1 x values as public constants beside shares: 0, 1, 2, ...
SharedMatrix row_numbers(const Party& party, size_t rows) {
    RingMatrix numbers(rows, 1);
    std::iota(numbers.values.begin(), numbers.values.end(), Ring{0});
    return share_public(party, numbers);
}

}  // namespace

SharedMatrix sort_distinct_rows(Party& party, const SharedMatrix& x, size_t key_column,
                                int key_bits) {
    const TrafficLedger::Scope scope(party.ledger(), "sort");
    require_column(x, key_column);
    if (key_bits < 1 || key_bits > 63) {
        throw Error(ErrorCode::kUsage,
                    "keys to sort must have 1 to 63 bits, got " + std::to_string(key_bits));
    }
    if (x.rows < 2) return x;
    const SharedMatrix shuffled = shuffle_rows(party, x);
    const SharedMatrix keys = select_columns(shuffled, key_column, 1);
    std::vector<uint32_t> rows(x.rows);
    std::iota(rows.begin(), rows.end(), uint32_t{0});
    return gather(shuffled, Sorter(party, keys, key_bits + 1).sorted(std::move(rows)));
}

SharedMatrix sort_rows(Party& party, const SharedMatrix& x, size_t key_column, int key_bits) {
    require_column(x, key_column);
    const int row_bits = bits_of_rows(x.rows);
    if (key_bits < 1 || key_bits + row_bits > 63) {
        throw Error(ErrorCode::kUsage,
                    "a stable sort of " + std::to_string(x.rows) + " rows takes keys of 1 to " +
                        std::to_string(63 - row_bits) + " bits, got " + std::to_string(key_bits));
    }
    const SharedMatrix key = add(scale(select_columns(x, key_column, 1), Ring{1} << row_bits),
                                 row_numbers(party, x.rows));
    const SharedMatrix parts[] = {key, x};
    const SharedMatrix sorted =
        sort_distinct_rows(party, stack_columns(parts), 0, key_bits + row_bits);
    return select_columns(sorted, 1, x.cols);
}

SharedMatrix partition_rows(Party& party, const SharedMatrix& x, const SharedBits& bits) {
    const TrafficLedger::Scope scope(party.ledger(), "partition");
    // Place of row i: ones before it, if it is a one; all ones and the zeros before it, if not.
    const SharedMatrix ones = to_ring(party, bits, x.rows, 1);
    SharedMatrix before = scale(ones, 0), behind = before;
    Ring first = 0, second = 0;
    for (size_t i = 0; i < x.rows; ++i) {
        before.first[i] = first;
        before.second[i] = second;
        first += ones.first[i];
        second += ones.second[i];
    }
    for (size_t i = 0; i < x.rows; ++i) {
        behind.first[i] = first - before.first[i];
        behind.second[i] = second - before.second[i];
    }
    behind = add(behind, row_numbers(party, x.rows));
    const SharedMatrix place = add(behind, multiply(party, ones, subtract(before, behind)));
    return rows_at_places(party, place, x);
}

SharedMatrix rows_at_places(Party& party, const SharedMatrix& places, const SharedMatrix& x) {
    const SharedMatrix parts[] = {places, x};
    const SharedMatrix shuffled = shuffle_rows(party, stack_columns(parts));
    const RingMatrix opened = open(party, select_columns(shuffled, 0, 1));
    constexpr uint32_t kNone = ~uint32_t{0};
    std::vector<uint32_t> order(x.rows, kNone);
    for (size_t i = 0; i < x.rows; ++i) {
        const Ring place = opened.values[i];
        if (place >= x.rows || order[place] != kNone) {
            throw Error(ErrorCode::kInvalid,
                        "two rows have one place, or a row one outside of the "
                        "table of " +
                            std::to_string(x.rows) + " rows");
        }
        order[place] = static_cast<uint32_t>(i);
    }
    return select_columns(gather(shuffled, order), 1, x.cols);
}

}  // namespace ward::mpc
