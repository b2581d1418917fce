#include "ward/dp/internal/composition.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "ward/dp/internal/fft.h"

namespace ward::dp::internal {
namespace {

// Relative rounding of one step's masses and of their tilt; see the decision record.
constexpr double kStepRounding = 1e-12;
constexpr double kUnit = 0x1p-53;
constexpr size_t kBlock = 256;

// log(mass) + theta * loss of every grid point, then sums over them. Losses are without the offset.
class LogMasses {
  public:
    LogMasses(const GridMasses& grid, double h) : first_(grid.first), h_(h) {
        log_mass_.reserve(grid.mass.size());
        for (double mass : grid.mass) log_mass_.push_back(std::log(mass));  // log 0 = -infinity
    }

    double exponent(size_t i, double theta) const {
        return log_mass_[i] + theta * h_ * static_cast<double>(first_ + static_cast<int64_t>(i));
    }

    // log sum of mass exp(theta loss).
    double moment(double theta) const {
        double top = -std::numeric_limits<double>::infinity();
        for (size_t i = 0; i < log_mass_.size(); ++i) top = std::max(top, exponent(i, theta));
        double sum = 0;
        for (size_t i = 0; i < log_mass_.size(); ++i) sum += std::exp(exponent(i, theta) - top);
        return top + std::log(sum);
    }

    // Tilted masses, divided by exp(k), folded into a cycle of n.
    std::vector<double> fold(double theta, double k, size_t n) const {
        std::vector<double> cycle(n, 0);
        const auto size = static_cast<int64_t>(n);
        auto slot = static_cast<size_t>(((first_ % size) + size) % size);
        for (size_t i = 0; i < log_mass_.size(); ++i) {
            cycle[slot] += std::exp(exponent(i, theta) - k);
            if (++slot == n) slot = 0;
        }
        return cycle;
    }

  private:
    int64_t first_;
    double h_;
    std::vector<double> log_mass_;
};

struct Block {
    std::array<double, kBlock> re, im;
};

void multiply(Block& a, const Block& b) {
    for (size_t i = 0; i < kBlock; ++i) {
        const double re = a.re[i] * b.re[i] - a.im[i] * b.im[i];
        a.im[i] = a.re[i] * b.im[i] + a.im[i] * b.re[i];
        a.re[i] = re;
    }
}

double greatest_modulus(const Block& a) {
    double top = 0;
    for (size_t i = 0; i < kBlock; ++i) {
        top = std::max(top, a.re[i] * a.re[i] + a.im[i] * a.im[i]);
    }
    return std::sqrt(top);
}

void multiply_power(Block& product, Block base, int64_t exponent) {
    for (;;) {
        if ((exponent & 1) != 0) multiply(product, base);
        exponent >>= 1;
        if (exponent == 0) return;
        multiply(base, base);
    }
}

// The product over the phases of spectrum^steps in one block, and a bound on its error.
struct PowerBlock {
    Block value;
    double error = 0;
};

void raise(PowerBlock& out, std::span<const Block> spectra,
           std::span<const SampledGaussianPhase> phases, double input_error) {
    double log_top = 0, rate = 0;
    for (size_t i = 0; i < spectra.size(); ++i) {
        const double top = greatest_modulus(spectra[i]) + 2 * input_error;
        const double steps = static_cast<double>(phases[i].steps);
        log_top += steps * std::log(top);
        // |(x + e)^T - x^T| <= T e (|x| + e)^(T-1); repeated squaring adds under 10 units a step.
        rate += steps * (2 * input_error + 10 * kUnit) / top;
    }
    out.error = std::exp(log_top) * rate;
    out.value.im.fill(0);
    if (log_top < -640) {  // far below every rounding error; also keeps denormals away
        out.value.re.fill(0);
        out.error += 1e-270;
        return;
    }
    out.value.re.fill(1);
    for (size_t i = 0; i < spectra.size(); ++i) {
        multiply_power(out.value, spectra[i], phases[i].steps);
    }
}

}  // namespace

ComposedLoss::ComposedLoss(std::span<const SampledGaussianPhase> phases,
                           const CompositionPlan& plan)
    : plan_(plan) {
    std::vector<GridMasses> upper_grids, lower_grids;
    for (const SampledGaussianPhase& phase : phases) {
        steps_ += static_cast<double>(phase.steps);
        const StepLoss step(phase.sampling_rate, phase.noise_multiplier, plan.direction);
        upper_grids.push_back(step.upper(plan.h, plan.cut));
        lower_grids.push_back(step.lower(plan.h, plan.cut));
    }
    std::vector<std::vector<double>> lower, upper;
    fill(upper_, phases, upper_grids, upper);
    fill(lower_, phases, lower_grids, lower);
    transform(phases, lower, upper);
}

// Everything of a bound but the composed masses; `folded` gets the tilted masses of each phase.
void ComposedLoss::fill(Bound& bound, std::span<const SampledGaussianPhase> phases,
                        std::span<const GridMasses> grids,
                        std::vector<std::vector<double>>& folded) {
    const size_t n = size_t{1} << plan_.log2_size;
    const double width = static_cast<double>(n) * plan_.h;
    double offset = 0, below = 0, above = 0;
    for (size_t i = 0; i < phases.size(); ++i) {
        const double steps = static_cast<double>(phases[i].steps);
        const LogMasses masses(grids[i], plan_.h);
        const double k = masses.moment(plan_.theta);
        below += steps * (masses.moment(plan_.theta - plan_.lambda_low) - k);
        above += steps * (masses.moment(plan_.theta + plan_.lambda_high) - k);
        bound.log_moment += steps * (k + plan_.theta * grids[i].offset);
        bound.infinite += steps * grids[i].infinite;
        offset += steps * grids[i].offset;
        folded.push_back(masses.fold(plan_.theta, k, n));
    }
    bound.first = static_cast<int64_t>(std::floor((plan_.low - offset) / plan_.h));
    const double low = static_cast<double>(bound.first) * plan_.h;  // without the offset
    bound.origin = low + offset;
    bound.wrap_left = std::exp(std::min(0.0, below + plan_.lambda_low * low));
    bound.wrap_right = std::exp(std::min(0.0, above - plan_.lambda_high * (low + width)));
}

// Both bounds in one complex transform: real part lower, imaginary part upper.
void ComposedLoss::transform(std::span<const SampledGaussianPhase> phases,
                             std::vector<std::vector<double>>& folded_lower,
                             std::vector<std::vector<double>>& folded_upper) {
    Fft fft(plan_.log2_size);
    const size_t n = fft.size(), half = n / 2;
    for (size_t i = 0; i < phases.size(); ++i) fft.forward(folded_lower[i], folded_upper[i]);
    std::vector<double> re(n), im(n);
    const double input_error = 2 * fft.relative_error();
    double error_lower = 0, error_upper = 0, energy = 0;
    std::vector<Block> spectra_lower(phases.size()), spectra_upper(phases.size());
    PowerBlock power_lower, power_upper;
    for (size_t begin = 0; begin <= half; begin += kBlock) {
        const size_t count = std::min(kBlock, half + 1 - begin);
        for (size_t i = 0; i < phases.size(); ++i) {
            const auto& zr = folded_lower[i];
            const auto& zi = folded_upper[i];
            spectra_lower[i] = {};
            spectra_upper[i] = {};
            for (size_t b = 0; b < count; ++b) {
                const size_t k = begin + b, mirror = (n - k) & (n - 1);
                spectra_lower[i].re[b] = (zr[k] + zr[mirror]) / 2;
                spectra_lower[i].im[b] = (zi[k] - zi[mirror]) / 2;
                spectra_upper[i].re[b] = (zi[k] + zi[mirror]) / 2;
                spectra_upper[i].im[b] = (zr[mirror] - zr[k]) / 2;
            }
        }
        raise(power_lower, spectra_lower, phases, input_error);
        raise(power_upper, spectra_upper, phases, input_error);
        const double twice = 2 * static_cast<double>(count);
        error_lower += twice * power_lower.error * power_lower.error;
        error_upper += twice * power_upper.error * power_upper.error;
        for (size_t b = 0; b < count; ++b) {
            const size_t k = begin + b, mirror = (n - k) & (n - 1);
            const double lr = power_lower.value.re[b], li = power_lower.value.im[b];
            const double ur = power_upper.value.re[b], ui = power_upper.value.im[b];
            re[mirror] = lr + ui;
            im[mirror] = ur - li;
            re[k] = lr - ui;
            im[k] = li + ur;
            energy += 2 * (lr * lr + li * li + ur * ur + ui * ui);
        }
    }
    fft.inverse(re, im);
    // By Parseval the errors of the spectrum keep their root of squares over sqrt(n), and so do
    // those of the inverse transform.
    const double inverse_error = fft.relative_error() * std::sqrt(energy);
    const double root = std::sqrt(static_cast<double>(n));
    lower_.rounding = (std::sqrt(error_lower) + inverse_error) / root;
    upper_.rounding = (std::sqrt(error_upper) + inverse_error) / root;
    sum_tails(lower_, std::move(re));
    sum_tails(upper_, std::move(im));
}

void ComposedLoss::sum_tails(Bound& bound, std::vector<double> cycle) const {
    const auto n = static_cast<int64_t>(cycle.size());
    const auto shift = static_cast<std::ptrdiff_t>(((bound.first % n) + n) % n);
    std::rotate(cycle.begin(), cycle.begin() + shift, cycle.end());  // entry 0 starts the window
    bound.discounted_tail.resize(cycle.size());
    const double decay = std::exp(-plan_.theta * plan_.h);
    const double discount = std::exp(-(plan_.theta + 1) * plan_.h);
    double tail = 0, discounted = 0;
    for (size_t i = cycle.size(); i-- > 0;) {
        tail = cycle[i] + decay * tail;
        discounted = cycle[i] + discount * discounted;
        cycle[i] = tail;
        bound.discounted_tail[i] = discounted;
    }
    bound.tail = std::move(cycle);
}

// What delta(epsilon) gains (upper) or loses (lower) by truncation and wrap-around, in units of
// exp(K - theta epsilon).
double ComposedLoss::correction(const Bound& bound, double sign, double epsilon) const {
    const double high = bound.origin + static_cast<double>(bound.tail.size()) * plan_.h;
    if (sign > 0) {
        return bound.wrap_right * std::exp(plan_.theta * std::min(0.0, epsilon - high)) +
               bound.infinite * std::exp(plan_.theta * epsilon - bound.log_moment);
    }
    return -(bound.wrap_left + bound.wrap_right);
}

double ComposedLoss::delta_of(const Bound& bound, double sign, double epsilon) const {
    const double n = static_cast<double>(bound.tail.size());
    const double position = (epsilon - bound.origin) / plan_.h;
    if (position < 0) return sign > 0 ? 1 : 0;  // below the window nothing is known
    const double next = std::floor(position) + 1;
    double sum = 0;
    if (next < n) {
        const auto i = static_cast<size_t>(next);
        const double gap = bound.origin + next * plan_.h - epsilon;
        const double tail = bound.tail[i];
        const double discounted = std::exp(-gap) * bound.discounted_tail[i];
        // The error of y by Cauchy-Schwarz with the squares of the weights, and that of the sums.
        const double most = -std::expm1(-(n - next) * plan_.h);
        const double ratio = 2 * plan_.theta * plan_.h;
        const double squares = ratio * (n - next) > 1e-9
                                   ? std::expm1(-ratio * (n - next)) / std::expm1(-ratio)
                                   : n - next;
        const double error = bound.rounding * most * std::sqrt(squares * (1 + 1e-9)) +
                             4 * kUnit * n * (std::abs(tail) + std::abs(discounted));
        sum = std::exp(-plan_.theta * gap) * (tail - discounted + sign * error);
    }
    sum = std::max(0.0, sum + correction(bound, sign, epsilon));
    const double rounding = sign * kStepRounding * (steps_ + 100);
    return std::min(1.0, sum * std::exp(bound.log_moment - plan_.theta * epsilon + rounding));
}

// Any epsilon with delta_of <= delta (upper) or > delta (lower) is a bound. The curves fall but for
// the corrections at the ends of the window, so the crossing is bracketed from the safe side: from
// the left for the upper bound, from the right for the lower.
double ComposedLoss::epsilon_of(const Bound& bound, double sign, double delta) const {
    constexpr int kProbes = 256;
    const double low = std::max(0.0, bound.origin);
    const double high = bound.origin + static_cast<double>(bound.tail.size()) * plan_.h;
    if (high <= low) return sign > 0 ? std::numeric_limits<double>::infinity() : 0;
    const auto probe = [&](int i) { return low + (high - low) * i / kProbes; };
    int crossing = -1;  // delta_of is above delta at this probe and not above at the next
    for (int i = 0; i < kProbes; ++i) {
        if (delta_of(bound, sign, probe(i)) > delta &&
            delta_of(bound, sign, probe(i + 1)) <= delta) {
            crossing = i;
            if (sign > 0) break;
        }
    }
    if (crossing < 0) {
        if (sign < 0) return 0;
        return delta_of(bound, sign, low) <= delta ? low : std::numeric_limits<double>::infinity();
    }
    double above = probe(crossing), below = probe(crossing + 1);
    while (below - above > 1e-11 * below) {
        const double middle = (above + below) / 2;
        (delta_of(bound, sign, middle) > delta ? above : below) = middle;
    }
    const double shift = kStepRounding * (steps_ + 100);
    return sign > 0 ? below + shift : std::max(0.0, above - shift);
}

CertifiedValue ComposedLoss::delta(double epsilon) const {
    const double shift = kStepRounding * (steps_ + 100);
    return {delta_of(upper_, 1, std::max(0.0, epsilon - shift)),
            delta_of(lower_, -1, epsilon + shift)};
}

CertifiedValue ComposedLoss::epsilon(double delta) const {
    return {epsilon_of(upper_, 1, delta), epsilon_of(lower_, -1, delta)};
}

}  // namespace ward::dp::internal
