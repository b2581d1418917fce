#include "ward/mpc/clip.h"

#include <algorithm>
#include <string>
#include <vector>

#include "ward/core/error.h"
#include "ward/mpc/bits.h"

namespace ward::mpc {
namespace {

void require_pairs(std::span<const Product> pairs) {
    for (const Product& pair : pairs) {
        const bool same = pair.x->cols == pair.y->cols && pair.x->rows == pair.y->rows;
        if (same && pair.x->rows == pairs[0].x->rows) continue;
        throw Error(ErrorCode::kUsage,
                    std::string("products of rows need matrices of one shape and as many ") +
                        "rows in all pairs, got " + std::to_string(pair.x->rows) + " x " +
                        std::to_string(pair.x->cols) + ", " + std::to_string(pair.y->rows) + " x " +
                        std::to_string(pair.y->cols));
    }
}

// The bits of one half of a joined comparison; halves begin at words of their own.
SharedBits half(const SharedBits& both, size_t which, size_t count) {
    SharedBits out(count);
    const size_t words = words_for_bits(count);
    std::copy_n(&both.first[which * words], words, out.first.begin());
    std::copy_n(&both.second[which * words], words, out.second.begin());
    return out;
}

}  // namespace

SharedMatrix cap(Party& party, const SharedMatrix& x, const RingVector& bounds) {
    const net::TrafficLedger::Scope scope(party.ledger(), "cap");
    const size_t n = x.size(), stride = words_for_bits(n) * 64;
    if (bounds.size() != n) {
        throw Error(ErrorCode::kUsage,
                    std::to_string(bounds.size()) + " bounds for " + std::to_string(n) + " values");
    }
    // b - x and x + b; where one is negative, it is what x has too much. Both are where x is next
    // to
    // +-2^63 and one of them has wrapped; then the first counts alone.
    SharedMatrix room(2, stride);
    std::fill(room.first.begin(), room.first.end(), Ring{0});
    std::fill(room.second.begin(), room.second.end(), Ring{0});
    for (size_t i = 0; i < n; ++i) {
        const Ring first = party.index() == 0 ? bounds[i] : 0;
        const Ring second = party.index() == 2 ? bounds[i] : 0;
        room.first[i] = first - x.first[i];
        room.second[i] = second - x.second[i];
        room.first[stride + i] = x.first[i] + first;
        room.second[stride + i] = x.second[i] + second;
    }
    const SharedBits exceeded = is_negative(party, room);
    const SharedBits above = half(exceeded, 0, n);
    const SharedBits bits[] = {above, bit_and(party, half(exceeded, 1, n), bit_not(party, above))};
    // x + (b - x) = b above, x - (x + b) = -b below.
    SharedMatrix terms[] = {SharedMatrix(x.rows, x.cols), SharedMatrix(x.rows, x.cols)};
    for (size_t i = 0; i < n; ++i) {
        terms[0].first[i] = room.first[i];
        terms[0].second[i] = room.second[i];
        terms[1].first[i] = 0 - room.first[stride + i];
        terms[1].second[i] = 0 - room.second[stride + i];
    }
    return add(x, select_sum(party, bits, terms));
}

SharedMatrix row_products(Party& party, std::span<const Product> pairs) {
    const net::TrafficLedger::Scope scope(party.ledger(), "row_products");
    require_pairs(pairs);
    SharedMatrix out(pairs[0].x->rows, pairs.size());
    for (size_t k = 0; k < pairs.size(); ++k) {
        const SharedMatrix &x = *pairs[k].x, &y = *pairs[k].y;
        if (party.verifier() != nullptr) {
            const SharedMatrix sums = sum_columns(multiply(party, x, y));
            for (size_t r = 0; r < out.rows; ++r) {
                out.first[r * out.cols + k] = sums.first[r];
                out.second[r * out.cols + k] = sums.second[r];
            }
            continue;
        }
        for (size_t r = 0; r < out.rows; ++r) {
            Ring sum = 0;
            for (size_t i = r * x.cols; i < (r + 1) * x.cols; ++i) {
                sum += x.first[i] * (y.first[i] + y.second[i]) + x.second[i] * y.first[i];
            }
            out.first[r * out.cols + k] = sum;
        }
    }
    if (party.verifier() == nullptr) internal::reshare(party, out);
    return out;
}

}  // namespace ward::mpc
