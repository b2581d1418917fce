#include "ward/he/linear_transform.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "ward/core/error.h"
#include "ward/he/internal/encode.h"
#include "ward/he/internal/evaluate.h"
#include "ward/he/internal/rlwe.h"
#include "ward/he/internal/rows.h"

namespace ward::he {

using internal::CiphertextBody;
using internal::Poly;
using internal::PolyPair;
using internal::Ring;

struct LinearTransform::State {
    ContextPtr context;
    int period = 0;
    size_t limbs = 0;
    double scale = 0, row_sum = 0, value_bound = 0, error_gain = 0, encoding_error = 0;
    // giant step -> baby step -> the diagonal of their sum, turned back by the giant step; over
    // data and special primes.
    std::map<int, std::map<int, Poly>> diagonals;
    size_t count = 0;
};

namespace {

[[noreturn]] void invalid(const std::string& message) { throw Error(ErrorCode::kInvalid, message); }

void check_period(const Context& context, int period) {
    if (period >= 1 && std::has_single_bit(static_cast<unsigned>(period)) &&
        static_cast<size_t>(period) <= context.slots()) {
        return;
    }
    invalid("period must be a power of two up to " + std::to_string(context.slots()) + ", got " +
            std::to_string(period));
}

template <typename Numbers>
void check_finite(const Numbers& numbers) {
    for (const auto& x : numbers) {
        if (!std::isfinite(std::abs(x))) invalid("the numbers of a matrix must be finite");
    }
}

LinearTransform::Diagonals diagonals_of(const Context& context, std::span<const double> matrix,
                                        int rows, int columns, int period) {
    check_period(context, period);
    if (rows < 1 || rows > period || columns < 1 || columns > period) {
        invalid("rows and columns must be 1.." + std::to_string(period) + ", got " +
                std::to_string(rows) + " and " + std::to_string(columns));
    }
    if (matrix.size() != static_cast<size_t>(rows) * static_cast<size_t>(columns)) {
        invalid("the matrix must have " + std::to_string(rows) + " x " + std::to_string(columns) +
                " numbers, got " + std::to_string(matrix.size()));
    }
    LinearTransform::Diagonals out;
    for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < columns; ++j) {
            const double x = matrix[i * columns + j];
            if (x == 0) continue;
            auto& diagonal = out[(j - i) & (period - 1)];
            diagonal.resize(static_cast<size_t>(period));
            diagonal[i] = x;
        }
    }
    return out;
}

void check_diagonals(const Context& context, const LinearTransform::ComplexDiagonals& diagonals,
                     int period) {
    check_period(context, period);
    for (const auto& [k, places] : diagonals) {
        if (k < 0 || k >= period || !std::has_single_bit(places.size()) ||
            places.size() > static_cast<size_t>(period)) {
            invalid("diagonals must have numbers of 0.." + std::to_string(period - 1) +
                    " and a power of two of places up to " + std::to_string(period) + ", got " +
                    std::to_string(k) + " with " + std::to_string(places.size()));
        }
        check_finite(places);
    }
}

double largest_row_sum(const LinearTransform::ComplexDiagonals& diagonals, int period,
                       double power) {
    std::vector<double> sums(static_cast<size_t>(period), 0.0);
    for (const auto& [k, places] : diagonals) {
        for (size_t i = 0; i < sums.size(); ++i) {
            sums[i] += std::pow(std::abs(places[i % places.size()]), power);
        }
    }
    return *std::max_element(sums.begin(), sums.end());
}

// A diagonal for all places, turned by `turn`.
internal::Slots turned(const std::vector<std::complex<double>>& places, int period, int turn) {
    internal::Slots slots{std::vector<double>(period), std::vector<double>(period)};
    for (int i = 0; i < period; ++i) {
        slots.re[(i + turn) % period] = places[i % places.size()].real();
        slots.im[(i + turn) % period] = places[i % places.size()].imag();
    }
    return slots;
}

LinearTransform::ComplexDiagonals to_complex(const LinearTransform::Diagonals& diagonals) {
    LinearTransform::ComplexDiagonals out;
    for (const auto& [k, places] : diagonals) out[k].assign(places.begin(), places.end());
    return out;
}

// Baby steps share the decomposition of the vector, giant steps have one each.
constexpr double kBabyCost = 0.5, kGiantCost = 1.0;
constexpr int kMaxBabies = 512;

}  // namespace

LinearTransform::Steps LinearTransform::steps(std::span<const int> diagonals, int period) {
    Steps best;
    double best_cost = INFINITY;
    std::vector<int> babies(static_cast<size_t>(period) + 1, 0);
    std::vector<int> giants(static_cast<size_t>(period) + 1, 0);
    for (int count = 1; count <= period; count = count < kMaxBabies ? count + 1 : 2 * count) {
        Steps trial{count, 0, 0, {}};
        for (int k : diagonals) {
            if (k % count != 0 && std::exchange(babies[k % count], count) != count) ++trial.babies;
            if (k / count != 0 && std::exchange(giants[k / count], count) != count) ++trial.giants;
        }
        const double cost = kBabyCost * trial.babies + kGiantCost * trial.giants;
        if (cost >= best_cost) continue;
        best_cost = cost;
        best = trial;
    }
    std::set<int> rotations;
    for (int k : diagonals) {
        rotations.insert(k % best.baby_count);
        rotations.insert(k - k % best.baby_count);
    }
    rotations.erase(0);
    best.rotations.assign(rotations.begin(), rotations.end());
    return best;
}

LinearTransform::LinearTransform(ContextPtr context, std::span<const double> matrix, int rows,
                                 int columns, int period, const Options& options)
    : LinearTransform(context,
                      (check_finite(matrix), diagonals_of(*context, matrix, rows, columns, period)),
                      period, options) {}

LinearTransform::LinearTransform(ContextPtr context, const Diagonals& diagonals, int period,
                                 const Options& options)
    : LinearTransform(std::move(context), to_complex(diagonals), period, options) {}

LinearTransform::LinearTransform(ContextPtr context, const ComplexDiagonals& diagonals, int period,
                                 const Options& options) {
    internal::check_scheme(*context, Scheme::kCkks);
    check_diagonals(*context, diagonals, period);
    const Ring& ring = context->ring();
    auto state = std::make_unique<State>();
    const int level = options.level == -1 ? context->max_level() : options.level;
    const double prime = CkksEvaluator(context).rescale_prime(level);
    state->scale = options.scale == 0 ? prime : options.scale;
    if (!std::isfinite(state->scale) || state->scale < 1) invalid("scale must be finite and >= 1");
    state->limbs = static_cast<size_t>(level + context->parameters().base_primes);
    state->period = period;
    state->value_bound = options.value_bound;
    state->row_sum = largest_row_sum(diagonals, period, 1);
    if (options.row_sum_bound != 0) {
        if (!(options.row_sum_bound >= state->row_sum)) {
            invalid("a row of the matrix is above the declared bound of " +
                    std::to_string(options.row_sum_bound));
        }
        state->row_sum = options.row_sum_bound;
    }
    if (state->row_sum * state->scale >= internal::kLargestCoefficient) {
        invalid("the numbers of the matrix are too large to encode");
    }
    state->error_gain = options.independent_errors
                            ? std::sqrt(largest_row_sum(diagonals, period, 2))
                            : state->row_sum;
    std::vector<int> numbers;
    for (const auto& [k, places] : diagonals) numbers.push_back(k);
    const int baby_count = steps(numbers, period).baby_count;
    const internal::Embedding embedding(std::countr_zero(static_cast<unsigned>(period)));
    for (const auto& [k, places] : diagonals) {
        const int baby = k % baby_count, giant = k - baby;
        state->diagonals[giant].emplace(
            baby, internal::encode_rows(ring, embedding, turned(places, period, giant),
                                        state->scale, state->limbs, true));
        ++state->count;
    }
    state->encoding_error =
        ring.noise().rounding() / state->scale + state->row_sum * internal::kTransformError;
    state->context = std::move(context);
    state_ = std::move(state);
}

LinearTransform::LinearTransform(LinearTransform&&) noexcept = default;
LinearTransform& LinearTransform::operator=(LinearTransform&&) noexcept = default;
LinearTransform::~LinearTransform() = default;

std::vector<int> LinearTransform::rotations() const {
    std::map<int, bool> steps;
    for (const auto& [giant, babies] : state_->diagonals) {
        if (giant != 0) steps[giant] = true;
        for (const auto& [baby, poly] : babies) {
            if (baby != 0) steps[baby] = true;
        }
    }
    std::vector<int> out;
    for (const auto& [step, used] : steps) out.push_back(step);
    return out;
}

size_t LinearTransform::size_bytes() const {
    return state_->count * (state_->limbs + state_->context->ring().special_count()) *
           state_->context->degree() * sizeof(uint64_t);
}

namespace {

// P times a polynomial over the data primes: nothing modulo the special ones.
Poly times_special(const Ring& ring, const Poly& poly) {
    const size_t n = ring.degree();
    Poly out(n, poly.limbs() + ring.special_count());
    out.fill_zero();
    for (size_t i = 0; i < poly.limbs(); ++i) {
        internal::kernels().multiply_factor(ring.modulus(i), poly.limb(i), ring.special_product(i),
                                            out.limb(i), n);
    }
    return out;
}

void add_extended(const Ring& ring, size_t limbs, Poly& sum, const Poly& addend) {
    for (size_t row = 0; row < sum.limbs(); ++row) {
        internal::kernels().add(ring.modulus(internal::prime_of_row(ring, limbs, row)),
                                sum.limb(row), addend.limb(row), sum.limb(row), ring.degree());
    }
}

// P times the rotation of (c0, c1), over all primes: no division yet.
PolyPair extended_rotation(const Ring& ring, const Poly& scaled_c0, const std::vector<Poly>& digits,
                           const internal::GaloisKeyBody& key) {
    PolyPair sum = internal::inner_product(ring, digits, key.key);
    add_extended(ring, scaled_c0.limbs() - ring.special_count(), sum.c0, scaled_c0);
    return {internal::permute(sum.c0, key.places), internal::permute(sum.c1, key.places)};
}

// Sum over baby steps of diagonal times rotation, one reduction for each output word.
PolyPair weighted_sum(const Ring& ring, size_t limbs, size_t diagonal_limbs,
                      const std::map<int, Poly>& diagonals, const std::map<int, PolyPair>& babies) {
    const size_t n = ring.degree(), rows = limbs + ring.special_count();
    PolyPair sum{Poly(n, rows), Poly(n, rows)};
    internal::for_rows(rows, n, [&](size_t row) {
        const size_t diagonal_row = row < limbs ? row : diagonal_limbs + (row - limbs);
        std::vector<const uint64_t*> w, c0, c1;
        for (const auto& [baby, diagonal] : diagonals) {
            w.push_back(diagonal.limb(diagonal_row));
            c0.push_back(babies.at(baby).c0.limb(row));
            c1.push_back(babies.at(baby).c1.limb(row));
        }
        internal::kernels().inner_product_pair(
            ring.modulus(internal::prime_of_row(ring, limbs, row)), w.data(), c0.data(), c1.data(),
            w.size(), sum.c0.limb(row), sum.c1.limb(row), n);
    });
    return sum;
}

std::map<int, PolyPair> baby_rotations(const Context& context, const CiphertextBody& a,
                                       const std::map<int, std::map<int, Poly>>& diagonals,
                                       const GaloisKeys& keys) {
    const Ring& ring = context.ring();
    const Poly scaled_c0 = times_special(ring, a.parts[0]);
    const auto digits = internal::decompose(ring, a.parts[1]);
    std::map<int, PolyPair> babies;
    for (const auto& [giant, row] : diagonals) {
        for (const auto& [baby, diagonal] : row) {
            if (babies.contains(baby)) continue;
            if (baby == 0) {
                babies.emplace(0, PolyPair{scaled_c0, times_special(ring, a.parts[1])});
                continue;
            }
            const auto& key = keys.key(rotation_element(context, baby));
            internal::check_key_level(a, key.key);
            babies.emplace(baby, extended_rotation(ring, scaled_c0, digits, key));
        }
    }
    return babies;
}

}  // namespace

Ciphertext LinearTransform::apply(const Ciphertext& vector, const GaloisKeys& keys) const {
    const CiphertextBody& a = vector.body();
    const ContextPtr& context = state_->context;
    internal::check_same_context(context, a.context);
    internal::check_same_context(context, keys.context());
    internal::check_relinearised(a);
    if (a.limbs() > state_->limbs || a.slots > static_cast<size_t>(state_->period)) {
        throw Error(ErrorCode::kInvalid,
                    "the transform is for periods up to " + std::to_string(state_->period) +
                        " and up to " + std::to_string(state_->limbs) + " primes, got " +
                        std::to_string(a.slots) + " and " + std::to_string(a.limbs()),
                    "encode with so few slots, and drop to that level");
    }
    const Ring& ring = context->ring();
    const size_t n = ring.degree(), limbs = a.limbs(), rows = limbs + ring.special_count();
    const auto babies = baby_rotations(*context, a, state_->diagonals, keys);
    PolyPair total{Poly(n, rows), Poly(n, rows)};
    total.c0.fill_zero();
    total.c1.fill_zero();
    for (const auto& [giant, diagonals] : state_->diagonals) {
        PolyPair sum = weighted_sum(ring, limbs, state_->limbs, diagonals, babies);
        if (giant != 0) {
            const auto& key = keys.key(rotation_element(*context, giant));
            internal::check_key_level(a, key.key);
            const Poly c1 = internal::divide_by_special(ring, std::move(sum.c1), nullptr);
            sum = extended_rotation(ring, sum.c0, internal::decompose(ring, c1), key);
        }
        add_extended(ring, limbs, total.c0, sum.c0);
        add_extended(ring, limbs, total.c1, sum.c1);
    }
    std::vector<Poly> parts;
    parts.push_back(internal::divide_by_special(ring, std::move(total.c0), nullptr));
    parts.push_back(internal::divide_by_special(ring, std::move(total.c1), nullptr));
    auto body = internal::with_parts(a, std::move(parts));
    const double switched = internal::key_switch_error(ring, limbs);
    const double giants = static_cast<double>(state_->diagonals.size());
    body->scale = a.scale * state_->scale;
    body->slots = static_cast<size_t>(state_->period);
    body->value_bound = a.value_bound * state_->row_sum;
    if (state_->value_bound > 0)
        body->value_bound = std::min(body->value_bound, state_->value_bound);
    body->error_bound = state_->error_gain * (a.error_bound + switched / a.scale) +
                        static_cast<double>(state_->count) * state_->encoding_error *
                            (a.value_bound + a.error_bound + switched / a.scale) +
                        (giants + 1) * switched / body->scale;
    return CkksEvaluator(context).rescale(Ciphertext(std::move(body)));
}

}  // namespace ward::he
