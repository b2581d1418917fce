#include "ward/mpc/spline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/multiply.h"
#include "ward/mpc/truncate.h"

namespace ward::mpc {
namespace {

using Function = std::function<double(double)>;

constexpr int kGridPoints = 33;
constexpr int kComparedBits = 32;
constexpr double kMaxValue = 4;
constexpr int kTermBits = 60;
constexpr double kMaxOfTermBits = 1.99;  // truncate.h: |x| < 2^61 with 60 fraction bits

struct Parabola {
    double c0 = 0, c1 = 0, c2 = 0;
    double operator()(double x) const { return c0 + x * (c1 + x * c2); }
};

// Through the three Chebyshev points of the interval, which is close to the best one.
Parabola interpolate(const Function& function, double low, double high) {
    std::array<double, 3> x, y;
    for (size_t i = 0; i < 3; ++i) {
        const double angle = (2.0 * static_cast<double>(i) + 1) * 3.14159265358979324 / 6;
        x[i] = 0.5 * (low + high) + 0.5 * (high - low) * std::cos(angle);
        y[i] = function(x[i]);
    }
    const double d01 = (y[1] - y[0]) / (x[1] - x[0]);
    const double d12 = (y[2] - y[1]) / (x[2] - x[1]);
    const double d012 = (d12 - d01) / (x[2] - x[0]);
    return {y[0] - d01 * x[0] + d012 * x[0] * x[1], d01 - d012 * (x[0] + x[1]), d012};
}

double largest_of(const Parabola& piece, double low, double high) {
    const double top = piece.c2 != 0 ? -piece.c1 / (2 * piece.c2) : low;
    const double inside = low < top && top < high ? top : low;
    return std::max({std::abs(piece(low)), std::abs(piece(inside)), std::abs(piece(high))});
}

double error_of(const Function& function, const Parabola& piece, double low, double high) {
    double worst = 0;
    for (int i = 0; i < kGridPoints; ++i) {
        const double x = low + (high - low) * i / (kGridPoints - 1);
        worst = std::max(worst, std::abs(function(x) - piece(x)));
    }
    return worst;
}

// The farthest end of a piece from `low` on that keeps the error.
double farthest(const Function& function, double low, double high, double bound) {
    if (error_of(function, interpolate(function, low, high), low, high) <= bound) return high;
    double good = low, bad = high;
    for (int i = 0; i < 40; ++i) {
        const double middle = 0.5 * (good + bad);
        const bool fits =
            error_of(function, interpolate(function, low, middle), low, middle) <= bound;
        (fits ? good : bad) = middle;
    }
    return good;
}

// Ends of pieces under an error bound; empty when more than `pieces` would be needed.
std::vector<double> cut(const Function& function, const SplineOptions& options, double bound) {
    std::vector<double> ends = {options.low};
    while (ends.back() < options.high && ends.size() <= options.pieces) {
        // Ends are ring elements, so that the pieces are fitted where they are used.
        const double next = farthest(function, ends.back(), options.high, bound);
        ends.push_back(std::max(std::floor(next * kOne) / kOne, ends.back() + 1 / kOne));
    }
    return ends.back() >= options.high ? ends : std::vector<double>();
}

Ring to_ring(double value, int bits) {
    return static_cast<Ring>(std::llround(std::ldexp(value, bits)));
}

Spline::Piece piece_of(const Parabola& parabola, int term_bits) {
    return {to_ring(parabola.c0, term_bits), to_ring(parabola.c1, term_bits - kFractionBits),
            to_ring(parabola.c2, term_bits - 2 * kFractionBits)};
}

SharedBits bits_of_piece(const SharedBits& all, size_t piece, size_t count) {
    SharedBits out(count);
    const size_t words = words_for_bits(count);
    std::copy_n(&all.first[piece * words], words, out.first.begin());
    std::copy_n(&all.second[piece * words], words, out.second.begin());
    return out;
}

SharedMatrix polynomial(const Party& party, const Spline::Piece& piece, const SharedMatrix& x,
                        const SharedMatrix& square) {
    SharedMatrix out(x.rows, x.cols);
    const Ring first = party.index() == 0 ? piece.constant : 0;
    const Ring second = party.index() == 2 ? piece.constant : 0;
    for (size_t i = 0; i < x.size(); ++i) {
        out.first[i] = first + piece.linear * x.first[i] + piece.square * square.first[i];
        out.second[i] = second + piece.linear * x.second[i] + piece.square * square.second[i];
    }
    return out;
}

}  // namespace

Spline::Spline(const Function& function, const SplineOptions& options) {
    if (!(options.low < options.high) || options.pieces == 0) {
        throw Error(ErrorCode::kUsage, "a spline needs low < high and at least one piece");
    }
    fit(function, options);
}

void Spline::fit(const Function& function, const SplineOptions& options) {
    double good = 1, bad = 0;
    for (int i = 0; i < 40; ++i) {
        const double middle = bad == 0 ? good / 4 : std::sqrt(good * bad);
        (cut(function, options, middle).empty() ? bad : good) = middle;
        if (bad == 0 && good < 1e-12) break;
    }
    const std::vector<double> ends = cut(function, options, good);
    if (ends.empty()) throw Error(ErrorCode::kUsage, "the function needs more pieces");
    const double below = options.keep_ends ? function(options.low) : options.below;
    const double above = options.keep_ends ? function(options.high) : options.above;
    std::vector<Parabola> parabolas = {{.c0 = below}};
    max_value_ = std::max(std::abs(below), std::abs(above));
    for (size_t k = 0; k + 1 < ends.size(); ++k) {
        const Parabola parabola = interpolate(function, ends[k], ends[k + 1]);
        max_error_ = std::max(max_error_, error_of(function, parabola, ends[k], ends[k + 1]));
        max_value_ = std::max(max_value_, largest_of(parabola, ends[k], ends[k + 1]));
        parabolas.push_back(parabola);
    }
    parabolas.push_back({.c0 = above});
    if (!(max_value_ < kMaxValue)) {
        throw Error(ErrorCode::kInvalid,
                    "values of a spline must be below 4, got " + std::to_string(max_value_));
    }
    term_bits_ = max_value_ > kMaxOfTermBits ? kTermBits - 1 : kTermBits;
    for (double end : ends) ends_.push_back(encode_constant(end));
    for (const Parabola& parabola : parabolas) {
        pieces_.push_back(piece_of(parabola, term_bits_));
    }
}

Ring Spline::evaluate_raw(Ring x) const {
    size_t k = 0;
    while (k < ends_.size() && static_cast<int64_t>(x - ends_[k]) >= 0) ++k;
    const Piece& piece = pieces_[k];
    return piece.constant + piece.linear * x + piece.square * x * x;
}

SharedMatrix evaluate(Party& party, const Spline& spline, const SharedMatrix& x) {
    const net::TrafficLedger::Scope scope(party.ledger(), "spline");
    const SharedMatrix square = multiply(party, x, x);
    const SharedBits reached = at_least(party, x, spline.ends(), kComparedBits);
    std::vector<SharedBits> bits;
    std::vector<SharedMatrix> terms;
    const auto& pieces = spline.pieces();
    for (size_t k = 0; k < spline.ends().size(); ++k) {
        bits.push_back(bits_of_piece(reached, k, x.size()));
        const Spline::Piece step = {pieces[k + 1].constant - pieces[k].constant,
                                    pieces[k + 1].linear - pieces[k].linear,
                                    pieces[k + 1].square - pieces[k].square};
        terms.push_back(polynomial(party, step, x, square));
    }
    const SharedMatrix sum =
        add(polynomial(party, pieces[0], x, square), select_sum(party, bits, terms));
    return truncate(party, sum, spline.shift());
}

const Spline& sigmoid_spline() {
    static const Spline spline(
        [](double x) { return 1 / (1 + std::exp(-x)); },
        {.low = -11.5, .high = 11.5, .pieces = 24, .below = 0, .above = 1, .keep_ends = false});
    return spline;
}

const Spline& exp_negative_spline() {
    static const Spline spline(
        [](double x) { return std::exp(-x); },
        {.low = 0, .high = 11.5, .pieces = 20, .below = 1, .above = 0, .keep_ends = false});
    return spline;
}

const Spline& reciprocal_spline() {
    static const Spline spline([](double x) { return 1 / x; },
                               {.low = 1, .high = 64, .pieces = 24});
    return spline;
}

}  // namespace ward::mpc
