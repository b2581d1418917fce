#include "ward/he/internal/fourier_factors.h"

#include <cmath>
#include <numbers>

namespace ward::he::internal {
namespace {

using Complex = std::complex<double>;

// Roots of the level with blocks of 2 `half` places: exp(2 pi i 5^j / 8 half).
std::vector<Complex> roots(size_t half) {
    std::vector<Complex> out;
    const size_t order = 8 * half;
    size_t power = 1;
    for (size_t j = 0; j < half; ++j, power = power * 5 % order) {
        const double angle =
            2 * std::numbers::pi * static_cast<double>(power) / static_cast<double>(order);
        out.push_back(std::polar(1.0, angle));
    }
    return out;
}

// u, v -> u + w v, u - w v; or back, (u + v) / 2 and (u - v) conj(w) / 2.
SparseDiagonals level(int n, int half, bool back) {
    const auto w = roots(static_cast<size_t>(half));
    SparseDiagonals out;
    const auto at = [&](int k) -> std::vector<Complex>& {
        auto& diagonal = out[(k + n) % n];
        diagonal.resize(static_cast<size_t>(n));
        return diagonal;
    };
    for (int i = 0; i < n; ++i) {
        const int place = i % (2 * half);
        const bool first = place < half;
        const Complex root = w[static_cast<size_t>(place % half)];
        if (back) {
            const Complex turn = 0.5 * std::conj(root);
            at(0)[i] += first ? Complex(0.5) : -turn;
            at(first ? half : -half)[i] += first ? Complex(0.5) : turn;
        } else {
            at(0)[i] += first ? Complex(1) : -root;
            at(first ? half : -half)[i] += first ? root : Complex(1);
        }
    }
    return out;
}

std::vector<SparseDiagonals> factors(int log_slots, int groups, double factor, bool back) {
    const int n = 1 << log_slots;
    std::vector<SparseDiagonals> out;
    for (int group = 0; group < groups; ++group) {
        SparseDiagonals whole;
        whole[0].assign(static_cast<size_t>(n), std::pow(factor, 1.0 / groups));
        const int first = log_slots * group / groups, last = log_slots * (group + 1) / groups;
        for (int step = first; step < last; ++step) {
            const int half = back ? n >> (step + 1) : 1 << step;
            whole = product(level(n, half, back), whole, n);
        }
        out.push_back(std::move(whole));
    }
    return out;
}

}  // namespace

SparseDiagonals product(const SparseDiagonals& after, const SparseDiagonals& before, int period) {
    SparseDiagonals out;
    for (const auto& [a, left] : after) {
        for (const auto& [b, right] : before) {
            auto& diagonal = out[(a + b) % period];
            diagonal.resize(static_cast<size_t>(period));
            for (int i = 0; i < period; ++i) {
                diagonal[i] += left[i] * right[(i + a) % period];
            }
        }
    }
    return out;
}

std::vector<SparseDiagonals> slots_to_coefficients_factors(int log_slots, int groups,
                                                           double factor) {
    return factors(log_slots, groups, factor, true);
}

std::vector<SparseDiagonals> coefficients_to_slots_factors(int log_slots, int groups,
                                                           double factor) {
    return factors(log_slots, groups, factor, false);
}

}  // namespace ward::he::internal
