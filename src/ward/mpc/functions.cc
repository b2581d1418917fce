#include "ward/mpc/functions.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/multiply.h"
#include "ward/mpc/truncate.h"

namespace ward::mpc {
namespace {

using Rung = Ladder::Rung;

constexpr size_t kPieces = 16;

Ring to_ring(double value, int bits) {
    return static_cast<Ring>(std::llround(std::ldexp(value, bits)));
}

// [x >= end] as 0 and 1, one row per rung but the first; rows are padded to whole words of bits.
SharedMatrix climb(Party& party, const Ladder& ladder, const SharedMatrix& x) {
    std::vector<Ring> ends;
    for (const auto& rung : ladder.rungs()) ends.push_back(rung.from);
    ends.erase(ends.begin());
    return to_ring(party, at_least(party, x, ends, ladder.bits().compared), ends.size(),
                   padded_bits(x.size()));
}

// The public value that belongs to the rung of each x.
SharedMatrix value_of(const Party& party, const Ladder& ladder, const SharedMatrix& steps,
                      const SharedMatrix& x, Ring Ladder::Encoded::*member) {
    SharedMatrix out(x.rows, x.cols);
    const auto& rungs = ladder.rungs();
    std::fill(out.first.begin(), out.first.end(), party.index() == 0 ? rungs[0].*member : 0);
    std::fill(out.second.begin(), out.second.end(), party.index() == 2 ? rungs[0].*member : 0);
    for (size_t k = 0; k + 1 < rungs.size(); ++k) {
        const Ring change = rungs[k + 1].*member - rungs[k].*member;
        if (change == 0) continue;
        for (size_t i = 0; i < x.size(); ++i) {
            out.first[i] += steps.first[k * steps.cols + i] * change;
            out.second[i] += steps.second[k * steps.cols + i] * change;
        }
    }
    return out;
}

// Rungs at base^low, ..., base^(high - 1), where u = x / base^k and the result is factor(k) g(u) +
// offset(k).
std::vector<Rung> powers(double base, int low, int high, double (*factor)(int),
                         double (*offset)(int)) {
    std::vector<Rung> out;
    for (int k = low; k < high; ++k) {
        out.push_back({.from = std::pow(base, k),
                       .scale = std::pow(base, -k),
                       .shift = 0,
                       .factor = factor(k),
                       .offset = offset(k)});
    }
    return out;
}

double none(int) { return 0; }
double one(int) { return 1; }

}  // namespace

Ladder::Ladder(Spline table, std::vector<Rung> rungs, Bits bits)
    : table_(std::move(table)), bits_(bits) {
    const auto ascends = [](const Rung& a, const Rung& b) { return a.from < b.from; };
    if (rungs.size() < 2 || !std::is_sorted(rungs.begin(), rungs.end(), ascends)) {
        throw Error(ErrorCode::kUsage, "a ladder needs two or more rungs that ascend, got " +
                                           std::to_string(rungs.size()));
    }
    for (const Rung& rung : rungs) {
        rungs_.push_back({to_ring(rung.from, kFractionBits), to_ring(rung.scale, bits.scale),
                          to_ring(rung.shift, kFractionBits), to_ring(rung.factor, bits.factor),
                          to_ring(rung.offset, kFractionBits)});
        scales_ = scales_ || rung.scale != 1;
        factors_ = factors_ || rung.factor != 1;
    }
}

const Ladder::Encoded& Ladder::rung_of(Ring x) const {
    size_t k = 0;
    while (k + 1 < rungs_.size() && static_cast<int64_t>(x - rungs_[k + 1].from) >= 0) ++k;
    return rungs_[k];
}

SharedMatrix evaluate(Party& party, const Ladder& ladder, const SharedMatrix& x) {
    const net::TrafficLedger::Scope scope(party.ledger(), "ladder");
    using Encoded = Ladder::Encoded;
    const SharedMatrix steps = climb(party, ladder, x);
    const auto value = [&](Ring Encoded::*member) {
        return value_of(party, ladder, steps, x, member);
    };
    const SharedMatrix scaled =
        ladder.scales() ? multiply_fixed(party, x, value(&Encoded::scale), ladder.bits().scale) : x;
    const SharedMatrix g = evaluate(party, ladder.table(), add(scaled, value(&Encoded::shift)));
    const SharedMatrix result =
        ladder.factors() ? multiply_fixed(party, g, value(&Encoded::factor), ladder.bits().factor)
                         : g;
    return add(result, value(&Encoded::offset));
}

const Ladder& reciprocal_ladder() {
    static const Ladder ladder(
        Spline([](double u) { return 1 / u; }, {.low = 1, .high = 2, .pieces = kPieces}),
        powers(
            2, -11, 14, [](int k) { return std::ldexp(1.0, -k); }, none),
        {.scale = 20, .factor = 20});
    return ladder;
}

const Ladder& square_root_ladder() {
    static const Ladder ladder(Spline([](double u) { return 0.5 * std::sqrt(u); },
                                      {.low = 1, .high = 4, .pieces = kPieces}),
                               [] {
                                   auto rungs = powers(
                                       4, -7, 7, [](int k) { return std::ldexp(1.0, k + 1); },
                                       none);
                                   rungs.insert(rungs.begin(), Rung{});  // 0 below 2^-14
                                   rungs[0].from = -1;
                                   return rungs;
                               }(),
                               {.scale = 20, .factor = 20});
    return ladder;
}

const Ladder& inverse_root_ladder() {
    static const Ladder ladder(
        Spline([](double u) { return 1 / std::sqrt(u); }, {.low = 1, .high = 4, .pieces = kPieces}),
        powers(
            4, -7, 7, [](int k) { return std::ldexp(1.0, -k); }, none),
        {.scale = 20, .factor = 20});
    return ladder;
}

const Ladder& logarithm_ladder() {
    static const Ladder ladder(
        Spline([](double u) { return std::log(u); }, {.low = 1, .high = 2, .pieces = kPieces}),
        powers(2, -11, 14, one, [](int k) { return k * std::log(2.0); }), {.scale = 20});
    return ladder;
}

const Ladder& exponential_ladder() {
    static const Ladder ladder(Spline([](double r) { return 0.5 * std::exp(r); },
                                      {.low = 0, .high = std::log(2.0), .pieces = kPieces}),
                               [] {
                                   std::vector<Rung> rungs;
                                   for (int k = -16; k < 13; ++k) {
                                       const double from = k * std::log(2.0);
                                       rungs.push_back({from, 1, -from, std::ldexp(1.0, k + 1), 0});
                                   }
                                   return rungs;
                               }(),
                               {.factor = 20});
    return ladder;
}

const Spline& hyperbolic_tan_spline() {
    static const Spline spline(
        [](double x) { return std::tanh(x); },
        {.low = -6, .high = 6, .pieces = 32, .below = -1, .above = 1, .keep_ends = false});
    return spline;
}

SharedMatrix reciprocal(Party& party, const SharedMatrix& x) {
    return evaluate(party, reciprocal_ladder(), x);
}

SharedMatrix square_root(Party& party, const SharedMatrix& x) {
    return evaluate(party, square_root_ladder(), x);
}

SharedMatrix inverse_root(Party& party, const SharedMatrix& x) {
    return evaluate(party, inverse_root_ladder(), x);
}

SharedMatrix logarithm(Party& party, const SharedMatrix& x) {
    return evaluate(party, logarithm_ladder(), x);
}

SharedMatrix exponential(Party& party, const SharedMatrix& x) {
    return evaluate(party, exponential_ladder(), x);
}

SharedMatrix hyperbolic_tan(Party& party, const SharedMatrix& x) {
    return evaluate(party, hyperbolic_tan_spline(), x);
}

SharedMatrix divide(Party& party, const SharedMatrix& x, const SharedMatrix& y) {
    return multiply_fixed(party, x, reciprocal(party, y));
}

}  // namespace ward::mpc
