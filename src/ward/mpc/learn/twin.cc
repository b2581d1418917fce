#include "ward/mpc/learn/twin.h"

#include <algorithm>
#include <cmath>

#include "ward/dp/discrete_gaussian.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/internal/matmul.h"
#include "ward/mpc/softmax.h"

namespace ward::mpc {
namespace {

bool is_negative(Ring value) { return static_cast<int64_t>(value) < 0; }

}  // namespace

void Twin::divide(RingVector& values, int shift) {
    RingVector dither(values.size());
    random_.fill(std::span<Ring>(dither));
    const Ring mask = (Ring{1} << shift) - 1;
    for (size_t i = 0; i < values.size(); ++i) {
        const Ring sum = values[i] + (dither[i] & mask);
        values[i] = static_cast<Ring>(static_cast<int64_t>(sum) >> shift);
    }
}

RingMatrix share_public(const Twin&, const RingMatrix& values) { return values; }

RingMatrix add(const RingMatrix& x, const RingMatrix& y) {
    RingMatrix out = x;
    for (size_t i = 0; i < out.size(); ++i) out.values[i] += y.values[i];
    return out;
}

RingMatrix subtract(const RingMatrix& x, const RingMatrix& y) {
    RingMatrix out = x;
    for (size_t i = 0; i < out.size(); ++i) out.values[i] -= y.values[i];
    return out;
}

RingMatrix scale(const RingMatrix& x, Ring constant) {
    RingMatrix out = x;
    for (Ring& value : out.values) value *= constant;
    return out;
}

RingMatrix transpose(const RingMatrix& x) {
    RingMatrix out(x.cols, x.rows);
    internal::transpose(x.values.data(), out.values.data(), x.rows, x.cols);
    return out;
}

RingMatrix add_row(const RingMatrix& x, const RingMatrix& y) {
    RingMatrix out = x;
    for (size_t i = 0; i < out.size(); ++i) out.values[i] += y.values[i % x.cols];
    return out;
}

RingMatrix sum_rows(const RingMatrix& x) {
    RingMatrix out(1, x.cols);
    std::fill(out.values.begin(), out.values.end(), Ring{0});
    for (size_t i = 0; i < x.size(); ++i) out.values[i % x.cols] += x.values[i];
    return out;
}

RingMatrix truncate(Twin& twin, const RingMatrix& x, int shift) {
    RingMatrix out = x;
    twin.divide(out.values, shift);
    return out;
}

std::vector<RingMatrix> matmul_fixed(Twin& twin, std::span<const PlainProduct> products,
                                     int shift) {
    std::vector<RingMatrix> out;
    for (const PlainProduct& product : products) {
        RingMatrix& z = out.emplace_back();
        if (product.addend != nullptr) {
            z = *product.addend;
        } else {
            z = RingMatrix(product.x->rows, product.y->cols);
            std::fill(z.values.begin(), z.values.end(), Ring{0});
        }
        if (product.x != nullptr) {
            internal::matmul_accumulate(product.x->values.data(), product.y->values.data(),
                                        z.values.data(), product.x->rows, product.x->cols,
                                        product.y->cols);
        }
        twin.divide(z.values, shift);
    }
    return out;
}

RingMatrix matmul_fixed(Twin& twin, const RingMatrix& x, const RingMatrix& y, int shift) {
    const PlainProduct one[] = {{&x, &y}};
    return std::move(matmul_fixed(twin, one, shift).front());
}

RingMatrix matmul_mapped_fixed(Twin& twin, const RingMatrix& x, const RingMatrix& y,
                               const std::function<void(const RingVector&, RingVector&)>& map,
                               size_t rows, size_t cols, int shift) {
    RingVector product(x.rows * y.cols);
    std::fill(product.begin(), product.end(), Ring{0});
    internal::matmul_accumulate(x.values.data(), y.values.data(), product.data(), x.rows, x.cols,
                                y.cols);
    RingMatrix out(rows, cols);
    map(product, out.values);
    twin.divide(out.values, shift);
    return out;
}

PlainLargest largest(Twin&, std::vector<RingMatrix> entries) {
    PlainLargest out{entries.front(), {}};
    out.tournament = {std::vector<uint32_t>(out.value.size()), entries.size()};
    for (size_t i = 0; i < out.value.size(); ++i) {
        for (size_t e = 1; e < entries.size(); ++e) {
            if (!is_negative(out.value.values[i] - entries[e].values[i])) continue;
            out.value.values[i] = entries[e].values[i];
            out.tournament.winners[i] = static_cast<uint32_t>(e);
        }
    }
    return out;
}

std::vector<RingMatrix> to_winner(Twin&, const PlainTournament& tournament,
                                  const RingMatrix& value) {
    std::vector<RingMatrix> out(tournament.entries, scale(value, 0));
    for (size_t i = 0; i < value.size(); ++i) {
        out[tournament.winners[i]].values[i] = value.values[i];
    }
    return out;
}

PlainRelu relu(Twin&, const RingMatrix& x, int bits) {
    PlainRelu out{x, PlainBits(x.size())};
    for (size_t i = 0; i < x.size(); ++i) {
        out.active[i] = is_negative(x.values[i] << (64 - bits)) ? 0 : 1;
        if (out.active[i] == 0) out.value.values[i] = 0;
    }
    return out;
}

RingMatrix select(Twin&, const PlainBits& bits, const RingMatrix& x) {
    RingMatrix out = x;
    for (size_t i = 0; i < out.size(); ++i) out.values[i] *= bits[i];
    return out;
}

RingMatrix cap(Twin&, const RingMatrix& x, const RingVector& bounds) {
    RingMatrix out = x;
    for (size_t i = 0; i < out.size(); ++i) {
        if (is_negative(bounds[i] - x.values[i])) {
            out.values[i] = bounds[i];
        } else if (is_negative(x.values[i] + bounds[i])) {
            out.values[i] = 0 - bounds[i];
        }
    }
    return out;
}

RingMatrix row_products(Twin&, std::span<const PlainProduct> pairs) {
    RingMatrix out(pairs[0].x->rows, pairs.size());
    for (size_t k = 0; k < pairs.size(); ++k) {
        const RingMatrix &x = *pairs[k].x, &y = *pairs[k].y;
        for (size_t r = 0; r < out.rows; ++r) {
            Ring sum = 0;
            for (size_t i = r * x.cols; i < (r + 1) * x.cols; ++i) sum += x.values[i] * y.values[i];
            out.values[r * out.cols + k] = sum;
        }
    }
    return out;
}

RingMatrix multiply(Twin&, const RingMatrix& x, const RingMatrix& y) {
    RingMatrix out = x;
    for (size_t i = 0; i < out.size(); ++i) out.values[i] *= y.values[i];
    return out;
}

RingMatrix multiply_fixed(Twin& twin, const RingMatrix& x, const RingMatrix& y, int shift) {
    RingMatrix out = multiply(twin, x, y);
    twin.divide(out.values, shift);
    return out;
}

RingMatrix repeat_column(const RingMatrix& x, size_t cols) {
    RingMatrix out(x.rows, cols);
    for (size_t i = 0; i < out.size(); ++i) out.values[i] = x.values[i / cols];
    return out;
}

RingMatrix discrete_gaussian_noise(Twin& twin, size_t rows, size_t cols, double sigma_units) {
    const dp::DiscreteGaussian law(sigma_units / std::sqrt(2.0));
    RingMatrix out(rows, cols);
    std::fill(out.values.begin(), out.values.end(), Ring{0});
    std::vector<int32_t> drawn(out.size());
    for (int party = 0; party < 3; ++party) {
        law.sample_vartime(twin.random(), std::span<int32_t>(drawn));
        for (size_t i = 0; i < out.size(); ++i) {
            out.values[i] += static_cast<Ring>(static_cast<int64_t>(drawn[i]));
        }
    }
    return out;
}

RingMatrix evaluate(Twin& twin, const Spline& spline, RingMatrix x) {
    for (Ring& value : x.values) value = spline.evaluate_raw(value);
    twin.divide(x.values, spline.shift());
    return x;
}

RingMatrix evaluate(Twin& twin, const Ladder& ladder, const RingMatrix& x) {
    RingMatrix u = x;
    if (ladder.scales()) {
        for (Ring& value : u.values) value *= ladder.rung_of(value).scale;
        twin.divide(u.values, ladder.bits().scale);
    }
    for (size_t i = 0; i < u.size(); ++i) u.values[i] += ladder.rung_of(x.values[i]).shift;
    RingMatrix out = evaluate(twin, ladder.table(), std::move(u));
    if (ladder.factors()) {
        for (size_t i = 0; i < out.size(); ++i) out.values[i] *= ladder.rung_of(x.values[i]).factor;
        twin.divide(out.values, ladder.bits().factor);
    }
    for (size_t i = 0; i < out.size(); ++i) out.values[i] += ladder.rung_of(x.values[i]).offset;
    return out;
}

RingMatrix softmax(Twin& twin, const RingMatrix& x) {
    RingMatrix below(x.rows, x.cols);
    for (size_t r = 0; r < x.rows; ++r) {
        const Ring* row = &x.values[r * x.cols];
        const Ring largest = *std::max_element(row, row + x.cols, [](Ring a, Ring b) {
            return static_cast<int64_t>(a) < static_cast<int64_t>(b);
        });
        for (size_t c = 0; c < x.cols; ++c) below.values[r * x.cols + c] = largest - row[c];
    }
    RingMatrix powers = evaluate(twin, exp_negative_spline(), below);
    RingMatrix sums(x.rows, 1);
    for (size_t r = 0; r < x.rows; ++r) {
        sums.values[r] = 0;
        for (size_t c = 0; c < x.cols; ++c) sums.values[r] += powers.values[r * x.cols + c];
    }
    const RingMatrix inverse = x.cols > kMaxTableColumns
                                   ? evaluate(twin, reciprocal_ladder(), sums)
                                   : evaluate(twin, reciprocal_spline(), sums);
    for (size_t i = 0; i < powers.size(); ++i) powers.values[i] *= inverse.values[i / x.cols];
    twin.divide(powers.values, kFractionBits);
    return powers;
}

RingMatrix sigmoid(Twin& twin, const RingMatrix& x) { return evaluate(twin, sigmoid_spline(), x); }

}  // namespace ward::mpc
