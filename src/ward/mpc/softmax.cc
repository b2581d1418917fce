#include "ward/mpc/softmax.h"

#include <algorithm>
#include <string>
#include <vector>

#include "ward/core/error.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/functions.h"
#include "ward/mpc/max_pool.h"
#include "ward/mpc/multiply.h"
#include "ward/mpc/spline.h"

namespace ward::mpc {
namespace {

constexpr size_t kMaxPairColumns = 16;

SharedMatrix column_of(const SharedMatrix& x, size_t col) {
    SharedMatrix out(x.rows, 1);
    for (size_t r = 0; r < x.rows; ++r) {
        out.first[r] = x.first[r * x.cols + col];
        out.second[r] = x.second[r * x.cols + col];
    }
    return out;
}

// x_i - x_j for all i < j, each pair from a new word of bits on.
SharedMatrix pair_differences(const SharedMatrix& x) {
    const size_t stride = words_for_bits(x.rows) * 64;
    SharedMatrix out(x.cols * (x.cols - 1) / 2, stride);
    std::fill(out.first.begin(), out.first.end(), Ring{0});
    std::fill(out.second.begin(), out.second.end(), Ring{0});
    size_t pair = 0;
    for (size_t i = 0; i < x.cols; ++i) {
        for (size_t j = i + 1; j < x.cols; ++j, ++pair) {
            for (size_t r = 0; r < x.rows; ++r) {
                const size_t a = r * x.cols + i, b = r * x.cols + j, to = pair * stride + r;
                out.first[to] = x.first[a] - x.first[b];
                out.second[to] = x.second[a] - x.second[b];
            }
        }
    }
    return out;
}

// The ands of neighbours, until one vector per column is left; all columns in one message.
std::vector<SharedBits> and_all(Party& party, std::vector<std::vector<SharedBits>> columns) {
    const size_t words = columns[0][0].first.size();
    while (columns[0].size() > 1) {
        const size_t pairs = columns[0].size() / 2;
        SharedBits left(columns.size() * pairs * words * 64), right = left;
        for (size_t c = 0; c < columns.size(); ++c) {
            for (size_t k = 0; k < pairs; ++k) {
                const size_t at = (c * pairs + k) * words;
                std::copy_n(columns[c][2 * k].first.data(), words, &left.first[at]);
                std::copy_n(columns[c][2 * k].second.data(), words, &left.second[at]);
                std::copy_n(columns[c][2 * k + 1].first.data(), words, &right.first[at]);
                std::copy_n(columns[c][2 * k + 1].second.data(), words, &right.second[at]);
            }
        }
        const SharedBits both = bit_and(party, left, right);
        for (size_t c = 0; c < columns.size(); ++c) {
            for (size_t k = 0; k < pairs; ++k) {
                const size_t at = (c * pairs + k) * words;
                std::copy_n(&both.first[at], words, columns[c][k].first.data());
                std::copy_n(&both.second[at], words, columns[c][k].second.data());
            }
            if (columns[c].size() % 2 != 0) columns[c][pairs] = columns[c].back();
            columns[c].resize(pairs + columns[c].size() % 2);
        }
    }
    std::vector<SharedBits> out;
    for (auto& column : columns) out.push_back(std::move(column[0]));
    return out;
}

}  // namespace

SharedMatrix row_max(Party& party, const SharedMatrix& x) {
    const net::TrafficLedger::Scope scope(party.ledger(), "max");
    if (x.cols < 2) return x;
    if (x.cols > kMaxPairColumns) {
        std::vector<SharedMatrix> entries;
        for (size_t c = 0; c < x.cols; ++c) entries.push_back(column_of(x, c));
        return largest(party, std::move(entries)).value;
    }
    const SharedBits not_less = is_nonnegative(party, pair_differences(x), 32);
    const size_t words = words_for_bits(x.rows);
    std::vector<std::vector<SharedBits>> wins(x.cols);
    size_t pair = 0;
    for (size_t i = 0; i < x.cols; ++i) {
        for (size_t j = i + 1; j < x.cols; ++j, ++pair) {
            SharedBits bits(x.rows);
            std::copy_n(&not_less.first[pair * words], words, bits.first.data());
            std::copy_n(&not_less.second[pair * words], words, bits.second.data());
            wins[j].push_back(bit_not(party, bits));
            wins[i].push_back(std::move(bits));
        }
    }
    const std::vector<SharedBits> is_max = and_all(party, std::move(wins));
    std::vector<SharedMatrix> columns;
    for (size_t c = 0; c < x.cols; ++c) columns.push_back(column_of(x, c));
    return select_sum(party, is_max, columns);
}

SharedMatrix softmax(Party& party, const SharedMatrix& x) {
    const net::TrafficLedger::Scope scope(party.ledger(), "softmax");
    if (x.cols > kMaxSoftmaxColumns) {
        throw Error(ErrorCode::kUsage,
                    "softmax takes at most 4096 columns, got " + std::to_string(x.cols));
    }
    const SharedMatrix below = subtract(repeat_column(row_max(party, x), x.cols), x);
    const SharedMatrix powers = evaluate(party, exp_negative_spline(), below);
    const SharedMatrix sums = sum_columns(powers);
    const SharedMatrix inverse = x.cols > kMaxTableColumns
                                     ? reciprocal(party, sums)
                                     : evaluate(party, reciprocal_spline(), sums);
    return multiply_fixed(party, powers, repeat_column(inverse, x.cols));
}

SharedMatrix sigmoid(Party& party, const SharedMatrix& x) {
    const net::TrafficLedger::Scope scope(party.ledger(), "sigmoid");
    return evaluate(party, sigmoid_spline(), x);
}

}  // namespace ward::mpc
