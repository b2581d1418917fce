#include "ward/he/infer/network.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "ward/core/error.h"
#include "ward/he/internal/chebyshev.h"
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

SparseMatrix add(const SparseMatrix& a, const SparseMatrix& b) {
    SparseMatrix out;
    out.rows = a.rows;
    out.columns = a.columns;
    for (int64_t i = 0; i < a.rows; ++i) {
        int64_t e = a.start[i], f = b.start[i];
        while (e < a.start[i + 1] || f < b.start[i + 1]) {
            const bool take_a =
                f == b.start[i + 1] || (e < a.start[i + 1] && a.column[e] <= b.column[f]);
            const bool take_b =
                e == a.start[i + 1] || (f < b.start[i + 1] && b.column[f] <= a.column[e]);
            out.column.push_back(take_a ? a.column[e] : b.column[f]);
            out.value.push_back((take_a ? a.value[e] : 0.0) + (take_b ? b.value[f] : 0.0));
            e += take_a;
            f += take_b;
        }
        out.start.push_back(out.entries());
    }
    return out;
}

// Powers of M^T M applied to a Gaussian vector g: |(M^T M)^k g| is at least norm^2k times the part
// of g along the first singular vector, which is below 2^-20 with a probability of 2^-20.
double norm_bound(const SparseMatrix& m) {
    constexpr int kPowers = 30;
    std::mt19937_64 generator(1);
    std::normal_distribution<double> gaussian;
    std::vector<double> x(static_cast<size_t>(m.columns)), y(static_cast<size_t>(m.rows));
    for (double& value : x) value = gaussian(generator);
    double log_size = 0;
    for (int k = 0; k < kPowers; ++k) {
        std::fill(y.begin(), y.end(), 0.0);
        for (int64_t i = 0; i < m.rows; ++i) {
            for (int64_t e = m.start[i]; e < m.start[i + 1]; ++e) {
                y[i] += m.value[e] * x[m.column[e]];
            }
        }
        std::fill(x.begin(), x.end(), 0.0);
        double squares = 0;
        for (int64_t i = 0; i < m.rows; ++i) {
            for (int64_t e = m.start[i]; e < m.start[i + 1]; ++e) {
                x[m.column[e]] += m.value[e] * y[i];
            }
        }
        for (double value : x) squares += value * value;
        if (squares == 0) return 0;
        const double size = std::sqrt(squares);
        for (double& value : x) value /= size;
        log_size += std::log2(size);
    }
    return std::exp2((log_size + 20) / (2 * kPowers));
}

double PolynomialActivation::operator()(double x) const {
    if (is_square()) return x * x;
    return internal::sum_chebyshev(chebyshev, x / radius);
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

namespace {

void add_product(const SparseMatrix& m, std::span<const double> x, std::vector<double>& y) {
    for (int64_t i = 0; i < m.rows; ++i) {
        for (int64_t e = m.start[i]; e < m.start[i + 1]; ++e) y[i] += m.value[e] * x[m.column[e]];
    }
}

void add_product(const SparseMatrix& m, std::span<const Interval> x, std::vector<Interval>& y) {
    for (int64_t i = 0; i < m.rows; ++i) {
        for (int64_t e = m.start[i]; e < m.start[i + 1]; ++e) {
            const Interval& input = x[m.column[e]];
            const double w = m.value[e];
            y[i].low += w * (w >= 0 ? input.low : input.high);
            y[i].high += w * (w >= 0 ? input.high : input.low);
        }
    }
}

}  // namespace

std::vector<double> evaluate(const Network& network, std::span<const double> input) {
    if (input.size() != static_cast<size_t>(network.inputs)) {
        throw Error(ErrorCode::kInvalid, "the network takes " + std::to_string(network.inputs) +
                                             " inputs, got " + std::to_string(input.size()));
    }
    std::vector<std::vector<double>> operands = {{input.begin(), input.end()}};
    for (const Stage& stage : network.stages) operands.push_back(evaluate_stage(stage, operands));
    return std::move(operands.back());
}

std::vector<double> evaluate_stage(const Stage& stage,
                                   std::span<const std::vector<double>> operands) {
    std::vector<double> y = stage.bias;
    add_product(stage.matrix, pooled(stage, operands.back()), y);
    for (const Skip& skip : stage.skips) add_product(skip.matrix, operands[skip.from], y);
    if (!stage.has_activation) return y;
    for (double& value : y) value = stage.activation(value);
    return y;
}

std::vector<double> pooled(const Stage& stage, std::span<const double> x) {
    if (stage.pool == 1) return {x.begin(), x.end()};
    std::vector<double> out(x.size(), 0.0);
    const int64_t height = stage.input_shape[1], width = stage.input_shape[2];
    for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i) {
        const int64_t row = i / width % height, column = i % width;
        for (int64_t a = 0; a < stage.pool && row + a < height; ++a) {
            for (int64_t b = 0; b < stage.pool && column + b < width; ++b) {
                out[i] += x[i + a * width + b];
            }
        }
    }
    return out;
}

std::vector<Interval> pooled(const Stage& stage, std::span<const Interval> x) {
    std::vector<double> low, high;
    for (const Interval& v : x) {
        low.push_back(v.low);
        high.push_back(v.high);
    }
    low = pooled(stage, low);
    high = pooled(stage, high);
    std::vector<Interval> out;
    for (size_t i = 0; i < low.size(); ++i) out.push_back({low[i], high[i]});
    return out;
}

std::vector<Interval> propagate(const Stage& stage,
                                std::span<const std::vector<Interval>> operands) {
    std::vector<Interval> out = skip_sums(stage, operands);
    for (size_t i = 0; i < out.size(); ++i) {
        out[i].low += stage.bias[i];
        out[i].high += stage.bias[i];
    }
    add_product(stage.matrix, pooled(stage, operands.back()), out);
    return out;
}

std::vector<Interval> skip_sums(const Stage& stage,
                                std::span<const std::vector<Interval>> operands) {
    std::vector<Interval> out(stage.bias.size());
    for (const Skip& skip : stage.skips) add_product(skip.matrix, operands[skip.from], out);
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
