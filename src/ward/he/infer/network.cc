#include "ward/he/infer/network.h"

#include <algorithm>
#include <cmath>

#include "ward/core/error.h"
#include "ward/he/polynomial.h"

namespace ward::he {

double Interval::magnitude() const { return std::max(std::abs(low), std::abs(high)); }

SparseMatrix multiply(const SparseMatrix& a, const SparseMatrix& b) {
    SparseMatrix out;
    out.rows = a.rows;
    out.columns = b.columns;
    std::vector<double> sum(static_cast<size_t>(b.columns), 0);
    std::vector<int64_t> seen(static_cast<size_t>(b.columns), -1);
    std::vector<int32_t> columns;
    for (int64_t i = 0; i < a.rows; ++i) {
        columns.clear();
        for (int64_t e = a.start[i]; e < a.start[i + 1]; ++e) {
            const int32_t k = a.column[e];
            for (int64_t f = b.start[k]; f < b.start[k + 1]; ++f) {
                const int32_t j = b.column[f];
                if (seen[j] != i) {
                    seen[j] = i;
                    sum[j] = 0;
                    columns.push_back(j);
                }
                sum[j] += a.value[e] * b.value[f];
            }
        }
        std::sort(columns.begin(), columns.end());
        for (int32_t j : columns) {
            out.column.push_back(j);
            out.value.push_back(sum[j]);
        }
        out.start.push_back(out.entries());
    }
    return out;
}

double PolynomialActivation::operator()(double x) const {
    if (is_square()) return x * x;
    const double u = x / radius;  // Clenshaw
    double b1 = 0, b2 = 0;
    for (size_t k = chebyshev.size() - 1; k > 0; --k) {
        const double b = chebyshev[k] + 2 * u * b1 - b2;
        b2 = b1;
        b1 = b;
    }
    return chebyshev[0] + u * b1 - b2;
}

int PolynomialActivation::depth() const {
    return is_square() ? 1 : polynomial_depth(static_cast<int>(chebyshev.size()) - 1);
}

int Network::depth() const {
    int depth = 0;
    for (const Stage& stage : stages) {
        depth += 1 + (stage.has_activation ? stage.activation.depth() : 0);
    }
    return depth;
}

std::vector<double> evaluate(const Network& network, std::span<const double> input) {
    if (input.size() != static_cast<size_t>(network.inputs)) {
        throw Error(ErrorCode::kInvalid, "the network takes " + std::to_string(network.inputs) +
                                             " inputs, got " + std::to_string(input.size()));
    }
    std::vector<double> x(input.begin(), input.end());
    for (const Stage& stage : network.stages) {
        std::vector<double> y = stage.bias;
        for (int64_t i = 0; i < stage.matrix.rows; ++i) {
            for (int64_t e = stage.matrix.start[i]; e < stage.matrix.start[i + 1]; ++e) {
                y[i] += stage.matrix.value[e] * x[stage.matrix.column[e]];
            }
            if (stage.has_activation) y[i] = stage.activation(y[i]);
        }
        x = std::move(y);
    }
    return x;
}

std::vector<Interval> propagate(const Stage& stage, std::span<const Interval> inputs) {
    std::vector<Interval> out;
    for (int64_t i = 0; i < stage.matrix.rows; ++i) {
        Interval y{stage.bias[i], stage.bias[i]};
        for (int64_t e = stage.matrix.start[i]; e < stage.matrix.start[i + 1]; ++e) {
            const double w = stage.matrix.value[e];
            const Interval& x = inputs[stage.matrix.column[e]];
            y.low += w * (w >= 0 ? x.low : x.high);
            y.high += w * (w >= 0 ? x.high : x.low);
        }
        out.push_back(y);
    }
    return out;
}

Interval apply(const PolynomialActivation& activation, const Interval& x) {
    if (activation.is_square()) {
        const double largest = x.magnitude() * x.magnitude();
        const bool has_zero = x.low <= 0 && x.high >= 0;
        return {has_zero ? 0 : std::min(x.low * x.low, x.high * x.high), largest};
    }
    // |T_k| <= 1 where the activation is defined.
    double size = 0;
    for (size_t k = 1; k < activation.chebyshev.size(); ++k) {
        size += std::abs(activation.chebyshev[k]);
    }
    return {activation.chebyshev[0] - size, activation.chebyshev[0] + size};
}

}  // namespace ward::he
