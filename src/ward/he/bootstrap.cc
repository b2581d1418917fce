#include "ward/he/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "ward/core/error.h"
#include "ward/he/internal/bootstrap_body.h"
#include "ward/he/internal/evaluate.h"
#include "ward/he/internal/fourier_factors.h"
#include "ward/he/internal/rlwe.h"
#include "ward/he/internal/rows.h"
#include "ward/he/polynomial.h"

namespace ward::he {
namespace {

using internal::BootstrapKeysBody;
using internal::BootstrapState;
using internal::CiphertextBody;
using internal::kDoublings;
using internal::kEvaluationBits;
using internal::kOverflow;
using internal::Poly;
using internal::Ring;
using internal::SwitchKeyBody;

// Messages must be small beside the first prime for the inverse of the sine to be a short series.
constexpr double kLargestAngle = 0.25;
// arcsin y = y + kCube y^3 up to kCubeError y^3, for y up to that angle: the next term, 3/40 y^5,
// is halved by taking its middle.
constexpr double kFifth = 0.075 * kLargestAngle * kLargestAngle / 2;
constexpr double kCube = 1.0 / 6 + kFifth;
constexpr double kCubeError = 1.2 * kFifth;

double first_prime(const Context& context) {
    return static_cast<double>(context.parameters().data_primes[0]);
}

// The phase under one secret becomes that under another.
std::vector<Poly> switch_key(const Ring& ring, const std::vector<Poly>& parts,
                             const SwitchKeyBody& key) {
    auto sum = internal::inner_product(ring, internal::decompose(ring, parts[1]), key);
    std::vector<Poly> out;
    out.push_back(internal::divide_by_special(ring, std::move(sum.c0), &parts[0]));
    out.push_back(internal::divide_by_special(ring, std::move(sum.c1), nullptr));
    return out;
}

// Residues modulo the first prime, centred, taken for those modulo all primes.
Poly raised(const Ring& ring, const Poly& low) {
    const internal::Kernels& k = internal::kernels();
    const size_t n = ring.degree();
    internal::Buffer buffer(n);
    k.ntt_inverse(ring.table(0), low.limb(0), buffer.data());
    const auto q = static_cast<int64_t>(ring.modulus(0).value());
    auto* numbers = reinterpret_cast<int64_t*>(buffer.data());
    for (size_t i = 0; i < n; ++i) numbers[i] -= numbers[i] > q / 2 ? q : 0;
    Poly out(n, ring.data_count());
    internal::for_rows(ring.data_count(), n, [&](size_t row) {
        k.reduce_signed(ring.modulus(row), numbers, out.limb(row), n);
        k.ntt_forward(ring.table(row), out.limb(row), out.limb(row));
    });
    return out;
}

// Slots times i: the product with a monomial, which is exact.
Ciphertext times_i(const BootstrapState& state, const Ciphertext& c) {
    std::vector<Poly> parts;
    for (const Poly& part : c.body().parts) {
        parts.push_back(internal::multiply_rows(state.context->ring(), part, state.imaginary));
    }
    return Ciphertext(internal::with_parts(c.body(), std::move(parts)));
}

// One refreshment.
class Refresh {
  public:
    Refresh(const BootstrapState& state, const BootstrapKeysBody& keys)
        : state_(state), keys_(keys), evaluator_(state.context) {}

    Ciphertext run(const Ciphertext& x) const {
        Ciphertext y = gather(raise(x));
        for (const LinearTransform& transform : state_.to_coefficients) {
            y = transform.apply(y, keys_.galois);
        }
        // Half of c_j + i c_{n+j}: with the conjugate, both parts.
        const Ciphertext turned = evaluator_.conjugate(y, keys_.galois);
        const Ciphertext real = modulo(evaluator_.add(y, turned), x);
        const Ciphertext imaginary =
            modulo(evaluator_.negate(times_i(state_, evaluator_.subtract(y, turned))), x);
        y = evaluator_.add(real, times_i(state_, imaginary));
        for (const LinearTransform& transform : state_.to_slots) {
            y = transform.apply(y, keys_.galois);
        }
        return finished(y, x);
    }

  private:
    // The value of a slot is from now on that of the polynomial over q kOverflow.
    Ciphertext raise(const Ciphertext& x) const {
        const Ring& ring = state_.context->ring();
        const auto low = internal::first_rows(x.body().parts, 1);
        const auto sparse = switch_key(state_.small->ring(), low, keys_.to_sparse);
        std::vector<Poly> high;
        for (const Poly& part : sparse) high.push_back(raised(ring, part));
        auto body = internal::with_parts(x.body(), switch_key(ring, high, keys_.to_dense));
        body->scale = first_prime(*state_.context) * kOverflow;
        // Coefficients are within 1, and about random.
        body->value_bound = internal::kSparseWeight / 8.0 * std::sqrt(ring.degree());
        body->error_bound =
            (x.error_bound() * x.scale() + 2 * internal::key_switch_error(ring, high[0].limbs())) /
            body->scale;
        body->slots = state_.context->slots();
        return Ciphertext(std::move(body));
    }

    // With fewer slots than the ring has, what is between the coefficients of the message goes.
    Ciphertext gather(Ciphertext x) const {
        for (int step : internal::gathering_rotations(state_.plan)) {
            x = evaluator_.add(x, evaluator_.rotate(x, step, keys_.galois));
        }
        auto body = std::make_shared<CiphertextBody>(x.body());
        const double copies = static_cast<double>(state_.context->slots() >> state_.plan.log_slots);
        body->scale *= copies;
        body->value_bound /= copies;
        body->error_bound /= copies;
        body->slots = size_t{1} << state_.plan.log_slots;
        return Ciphertext(std::move(body));
    }

    // sin(2 pi t / q) for t / (q kOverflow) in the slots: cos of a 2^kDoublings-th of the angle,
    // less a quarter turn, then doublings.
    Ciphertext modulo(const Ciphertext& t, const Ciphertext& x) const {
        const double before = t.error_bound();
        Ciphertext c = evaluate_chebyshev(evaluator_, internal::with_bounds(t, 1, before),
                                          state_.cosine, keys_.relin);
        for (int i = 0; i < kDoublings; ++i) {
            c = internal::with_bounds(c, 1, c.error_bound());
            const Ciphertext square = evaluator_.rescale(evaluator_.multiply(c, c, keys_.relin));
            c = evaluator_.add(evaluator_.add(square, square), -1.0);
        }
        // What was wrong before comes through with the slope of the sine, what each step has added
        // grows fourfold with each doubling.
        const double step =
            internal::key_switch_error(state_.context->ring(), 1) / std::exp2(kEvaluationBits);
        const double error =
            2 * std::numbers::pi * kOverflow * before + std::exp2(2 * kDoublings + 4) * step;
        return arcsine(internal::with_bounds(c, std::min(1.0, angle(x)), error));
    }

    // arcsin(y) / kCube; the constant goes into the transform behind.
    Ciphertext arcsine(const Ciphertext& y) const {
        const auto square = evaluator_.rescale(evaluator_.multiply(y, y, keys_.relin));
        return evaluator_.rescale(
            evaluator_.multiply(y, evaluator_.add(square, 1 / kCube), keys_.relin));
    }

    double angle(const Ciphertext& x) const {
        return 2 * std::numbers::pi * (x.value_bound() + x.error_bound()) * x.scale() /
               first_prime(*state_.context);
    }

    // The scale of the result is that of the plan, of the message that of x.
    Ciphertext finished(const Ciphertext& y, const Ciphertext& x) const {
        auto body = std::make_shared<CiphertextBody>(y.body());
        body->scale *= x.scale() / std::exp2(state_.plan.parameters.scale_bits);
        const double value = x.value_bound() + x.error_bound();
        body->value_bound = value;
        // The cubes of coefficients sum up to at most the cube of the largest slot.
        body->error_bound += x.error_bound() + kCubeError * angle(x) * angle(x) * value;
        return Ciphertext(std::move(body));
    }

    const BootstrapState& state_;
    const BootstrapKeysBody& keys_;
    CkksEvaluator evaluator_;
};

}  // namespace

namespace internal {

void make_transforms(BootstrapState& state) {
    const BootstrapPlan& plan = state.plan;
    const Context& context = *state.context;
    const CkksEvaluator evaluator(state.context);
    const int period = 1 << plan.log_slots;
    const double copies = static_cast<double>(context.slots() >> plan.log_slots);
    int level = context.max_level();
    // The first transform brings the scale to that of the evaluation; half, for the conjugate.
    double scale = first_prime(context) * kOverflow * copies;
    for (const auto& factor :
         slots_to_coefficients_factors(plan.log_slots, plan.to_coefficients, 0.5)) {
        state.to_coefficients.emplace_back(
            state.context, factor, period,
            LinearTransform::Options{
                .level = level,
                .independent_errors = true,
                .scale = evaluator.rescale_prime(level) * std::exp2(kEvaluationBits) / scale});
        scale = std::exp2(kEvaluationBits);
        --level;
    }
    level -= modulus_depth();
    const double nominal = std::exp2(plan.parameters.scale_bits);
    const double factor = kCube * first_prime(context) / nominal / (2 * std::numbers::pi);
    for (const auto& matrix :
         coefficients_to_slots_factors(plan.log_slots, plan.to_slots, factor)) {
        state.to_slots.emplace_back(
            state.context, matrix, period,
            LinearTransform::Options{.level = level,
                                     .independent_errors = true,
                                     .scale = evaluator.rescale_prime(level) * nominal / scale});
        scale = nominal;
        --level;
    }
}

}  // namespace internal

Bootstrapper::Bootstrapper(ContextPtr context, const BootstrapPlan& plan) {
    if (!(context->parameters() == plan.parameters)) {
        throw Error(ErrorCode::kInvalid, "the context has other parameters than the plan");
    }
    auto state = std::make_unique<BootstrapState>();
    state->small = internal::small_context(*context);
    state->context = std::move(context);
    state->plan = plan;
    internal::make_transforms(*state);
    const double turn = 2 * std::numbers::pi / std::exp2(kDoublings);
    state->cosine =
        chebyshev_coefficients([turn](double x) { return std::cos(turn * (kOverflow * x - 0.25)); },
                               -1, 1, internal::kCosineDegree);
    const Ring& ring = state->context->ring();
    state->imaginary = Poly(ring.degree(), ring.data_count());
    state->imaginary.fill_zero();
    for (size_t row = 0; row < ring.data_count(); ++row) {
        uint64_t* words = state->imaginary.limb(row);
        words[ring.degree() / 2] = 1;
        internal::kernels().ntt_forward(ring.table(row), words, words);
    }
    state_ = std::move(state);
}

Bootstrapper::~Bootstrapper() = default;

Ciphertext Bootstrapper::refresh(const Ciphertext& x, const BootstrapKeys& keys) const {
    internal::check_same_context(state_->context, x.context());
    internal::check_same_context(state_->context, keys.body().context);
    internal::check_relinearised(x.body());
    if (x.body().slots > (size_t{1} << state_->plan.log_slots)) {
        throw Error(ErrorCode::kInvalid, "the plan is for " +
                                             std::to_string(1 << state_->plan.log_slots) +
                                             " slots, got " + std::to_string(x.body().slots));
    }
    const double angle = 2 * std::numbers::pi * (x.value_bound() + x.error_bound()) * x.scale() /
                         first_prime(*state_->context);
    if (!(angle <= kLargestAngle)) {
        throw Error(ErrorCode::kRefused,
                    "values up to " + std::to_string(x.value_bound()) +
                        " are too large to be refreshed at a scale of 2^" +
                        std::to_string(std::log2(x.scale())),
                    "declare a tighter bound, or divide by a constant first");
    }
    return Refresh(*state_, keys.body()).run(x);
}

}  // namespace ward::he
