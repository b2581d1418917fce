#include "ward/dp/internal/step_loss.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "ward/dp/internal/normal.h"

namespace ward::dp::internal {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

StepLoss::StepLoss(double sampling_rate, double noise_multiplier, Direction direction)
    : q_(sampling_rate), sigma_(noise_multiplier), direction_(direction) {}

double StepLoss::loss(double t) const {
    double z = (2 * t - 1) / (2 * sigma_ * sigma_);
    if (direction_ == Direction::kAdd) z = -z;
    const double l =
        z > 30 ? z + std::log(q_ + (1 - q_) * std::exp(-z)) : std::log1p(q_ * std::expm1(z));
    return direction_ == Direction::kAdd ? -l : l;
}

double StepLoss::position(double l) const {
    // Of the remove direction at loss l, or of the add direction at loss -l, mirrored.
    const double signed_loss = direction_ == Direction::kAdd ? -l : l;
    double log_beta = 0;
    if (signed_loss > 30) {
        log_beta = signed_loss + std::log1p(-(1 - q_) * std::exp(-signed_loss)) - std::log(q_);
    } else {
        const double argument = std::expm1(signed_loss) / q_;
        log_beta = argument <= -1 ? -kInfinity : std::log1p(argument);
    }
    if (direction_ == Direction::kAdd) log_beta = -log_beta;
    return sigma_ * sigma_ * log_beta + 0.5;
}

double StepLoss::beta_at(double l) const {
    if (direction_ == Direction::kRemove) return 1 + std::expm1(l) / q_;
    const double inverse = 1 + std::expm1(-l) / q_;
    return inverse <= 0 ? kInfinity : 1 / inverse;
}

double StepLoss::excess_factor(double l) const {
    if (direction_ == Direction::kRemove) return q_;
    return q_ * std::exp(l) * (1 + std::expm1(-l) / q_);  // q e^g / beta_g
}

double StepLoss::mass_p(double t0, double t1) const {
    const double b = normal_interval((t0 - 1) / sigma_, (t1 - 1) / sigma_);
    if (direction_ == Direction::kAdd) return b;
    return (1 - q_) * normal_interval(t0 / sigma_, t1 / sigma_) + q_ * b;
}

double StepLoss::delta(double epsilon) const {
    const double t = position(epsilon);
    if (t == kInfinity) return 0;
    const double a = normal_tail(t / sigma_);
    const double b = normal_tail((t - 1) / sigma_);
    if (t == -kInfinity) return -std::expm1(epsilon);
    return std::max(0.0, excess_factor(epsilon) * (b - beta_at(epsilon) * a));
}

StepLoss::Range StepLoss::range_of(const Cut& cut) const {
    const double z_left = normal_tail_inverse(std::clamp(cut.left_mass / 2, 1e-290, 0.4));
    const double z_right = normal_tail_inverse(std::clamp(cut.right_mass / 2, 1e-290, 0.4));
    const double left_centre = direction_ == Direction::kAdd || q_ == 1 ? 1 : 0;
    return {left_centre - sigma_ * z_left, std::min(1 + sigma_ * z_right, position(cut.max_loss))};
}

GridMasses StepLoss::upper(double h, const Cut& cut) const {
    const Range range = range_of(cut);
    GridMasses grid;
    grid.first = static_cast<int64_t>(std::floor(loss(range.low_t) / h));
    const auto last = static_cast<int64_t>(std::ceil(loss(range.high_t) / h));
    const auto cells = static_cast<size_t>(std::max<int64_t>(1, last - grid.first));
    grid.mass.assign(cells + 1, 0);
    double t = position(static_cast<double>(grid.first) * h);
    grid.mass[0] = mass_p(-kInfinity, t);
    const double split = -std::expm1(-h);
    for (size_t i = 0; i < cells; ++i) {
        const double g = static_cast<double>(grid.first + static_cast<int64_t>(i)) * h;
        const double next = position(g + h);
        const double a = normal_interval(t / sigma_, next / sigma_);
        const double b = normal_interval((t - 1) / sigma_, (next - 1) / sigma_);
        const double p = direction_ == Direction::kAdd ? b : (1 - q_) * a + q_ * b;
        const double beta = beta_at(g);
        // The share of p that goes to the upper end keeps both P and Q of the cell. Where beta is
        // infinite (a cell beyond the greatest loss) there is no mass.
        const double excess = std::isfinite(beta) ? excess_factor(g) * (b - beta * a) : 0;
        const double up = std::clamp(excess / split, 0.0, p);
        grid.mass[i] += p - up;
        grid.mass[i + 1] += up;
        t = next;
    }
    grid.infinite = mass_p(t, kInfinity);
    return grid;
}

// For the remove direction: the end b of the cell (x, b) with B = beta A, by Newton from the mirror
// image of x; relative error about 1e-8 of its distance to the turning point. +infinity when there
// is none.
double StepLoss::next_cut(double x, double beta) const {
    const double log_beta = std::log(beta);
    const double turn = sigma_ * sigma_ * log_beta + 0.5;
    const auto gap = [&](double b) {
        return normal_interval((x - 1) / sigma_, (b - 1) / sigma_) -
               beta * normal_interval(x / sigma_, b / sigma_);
    };
    double low = turn;
    double high = kInfinity;
    double b = std::isfinite(x) ? 2 * turn - x : turn + sigma_ / 2;
    for (int i = 0; i < 60; ++i) {
        const double value = gap(b);
        (value < 0 ? low : high) = b;
        const double slope = normal_density(b / sigma_) / sigma_ * beta *
                             std::expm1((2 * b - 1) / (2 * sigma_ * sigma_) - log_beta);
        double move = value / slope;
        if (!std::isfinite(move) || b - move <= low || b - move >= high) {
            if (high == kInfinity) {
                if (b > 1 + 40 * sigma_) return kInfinity;
                move = -(sigma_ / 2);
            } else {
                move = b - (low + high) / 2;
            }
        }
        b -= move;
        if (std::abs(move) < 1e-4 * (b - turn)) break;  // the next error is its square
    }
    return b;
}

// Cells are laid out along x from -infinity, where the loss of the remove direction tends to its
// least value log(1-q) and that of the add direction to its greatest, so that in both the first
// cell holds the mass that subsampling piles up. The ratio of remove is M / A with M = (1-q) A + q
// B; add has the reciprocal ratio, mass A, and losses of opposite sign.
GridMasses StepLoss::lower(double h, const Cut& cut) const {
    const bool remove = direction_ == Direction::kRemove;
    const StepLoss base(q_, sigma_, Direction::kRemove);
    const Range range = range_of(cut);
    const double first_x = remove ? range.low_t : 1 - range.high_t;
    const double last_x = remove ? range.high_t : 1 - range.low_t;
    const auto cell_masses = [&](double x0, double x1) {
        const double a = normal_interval(x0 / sigma_, x1 / sigma_);
        const double b = normal_interval((x0 - 1) / sigma_, (x1 - 1) / sigma_);
        return std::pair(a, (1 - q_) * a + q_ * b);
    };
    // The first cell ends 0.6 h above the least loss; the grid is hung up at its mean ratio.
    double x = base.position(base.loss(first_x) + 0.6 * h);
    const auto [a0, m0] = cell_masses(-kInfinity, x);
    const double offset = std::log(m0 / a0);
    std::vector<double> mass{remove ? m0 : a0};  // by index along x
    while (x < last_x) {
        const auto index =
            static_cast<int64_t>(std::max(1.0, std::floor((base.loss(x) - offset) / h + 0.3) + 1));
        const double beta = base.beta_at(offset + static_cast<double>(index) * h);
        double next = next_cut(x, beta);
        int64_t at = index;
        if (next == kInfinity) {
            const auto [a, m] = cell_masses(x, kInfinity);
            if (!(a > 0 && m > 0)) break;
            const double place = (std::log(m / a) - offset) / h;
            at = static_cast<int64_t>(remove ? std::floor(place - 1e-6) : std::ceil(place + 1e-6));
        } else {
            // On the safe side of the root: ratio M / A at least (remove) or at most (add) the
            // grid's.
            const double turn = sigma_ * sigma_ * std::log(beta) + 0.5;
            next += (remove ? 1e-7 : -1e-7) * (next - turn);
        }
        if (mass.size() <= static_cast<size_t>(at)) mass.resize(static_cast<size_t>(at) + 1, 0);
        const auto [a, m] = cell_masses(x, next);
        mass[static_cast<size_t>(at)] += remove ? m : a;
        x = next;
    }
    if (remove) return {offset, 0, std::move(mass), 0};
    std::reverse(mass.begin(), mass.end());
    return {-offset, 1 - static_cast<int64_t>(mass.size()), std::move(mass), 0};
}

}  // namespace ward::dp::internal
