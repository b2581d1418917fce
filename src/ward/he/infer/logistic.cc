#include "ward/he/infer/logistic.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/he/encrypt.h"
#include "ward/he/infer/internal/bounds.h"
#include "ward/he/internal/evaluate.h"

namespace ward::he {
namespace {

constexpr int kLevelsPerEpoch = 4;
constexpr int kLargestLogSlots = 15;

void check(const LogisticRequest& r) {
    const bool counts = r.rows >= 1 && r.rows <= (1 << kLargestLogSlots) && r.features >= 1 &&
                        r.features < 4096 && r.epochs >= 1 && r.epochs <= 15;
    if (counts && r.learning_rate > 0 && std::isfinite(r.learning_rate) && r.feature_bound > 0 &&
        std::isfinite(r.feature_bound) && r.margin_bound > 0 && std::isfinite(r.margin_bound)) {
        return;
    }
    throw Error(ErrorCode::kInvalid,
                "logistic training needs 1..32768 rows, 1..4095 features, 1..15 epochs and rates "
                "and bounds that are finite and > 0");
}

// sigmoid(-m) is 1/2 plus an odd function; least squares with m and m^3 over the interval.
void fit_sigmoid(LogisticPlan& plan) {
    constexpr int kPoints = 1000;
    double a11 = 0, a13 = 0, a33 = 0, b1 = 0, b3 = 0;
    for (int i = 0; i < kPoints; ++i) {
        const double m = plan.request.margin_bound * (i + 0.5) / kPoints;
        const double y = 1 / (1 + std::exp(m)) - 0.5;
        a11 += m * m;
        a13 += std::pow(m, 4);
        a33 += std::pow(m, 6);
        b1 += m * y;
        b3 += m * m * m * y;
    }
    const double determinant = a11 * a33 - a13 * a13;
    plan.linear = (b1 * a33 - b3 * a13) / determinant;
    plan.cubic = (a11 * b3 - a13 * b1) / determinant;
}

// z_i, row by row, `width` slots for each.
std::vector<double> signed_rows(const LogisticPlan& plan, std::span<const double> rows,
                                std::span<const int> labels) {
    const LogisticRequest& r = plan.request;
    if (rows.size() != static_cast<size_t>(r.rows) * static_cast<size_t>(r.features) ||
        labels.size() != static_cast<size_t>(r.rows)) {
        throw Error(ErrorCode::kInvalid, "expected " + std::to_string(r.rows) + " rows of " +
                                             std::to_string(r.features) +
                                             " features and as many labels, got " +
                                             std::to_string(rows.size()) + " numbers and " +
                                             std::to_string(labels.size()) + " labels");
    }
    std::vector<double> out(static_cast<size_t>(plan.width) * static_cast<size_t>(plan.height));
    for (int i = 0; i < r.rows; ++i) {
        if (labels[i] != 0 && labels[i] != 1) {
            throw Error(ErrorCode::kInvalid,
                        "labels must be 0 or 1, got " + std::to_string(labels[i]));
        }
        const double sign = labels[i] == 1 ? 1 : -1;
        double* z = out.data() + static_cast<ptrdiff_t>(i) * plan.width;
        for (int j = 0; j < r.features; ++j) {
            const double x = rows[static_cast<size_t>(i) * r.features + j];
            if (!std::isfinite(x)) throw Error(ErrorCode::kInvalid, "features must be finite");
            z[j] = sign * std::clamp(x, -r.feature_bound, r.feature_bound);
        }
        z[r.features] = sign;
    }
    return out;
}

double row_bound(const LogisticRequest& r) { return std::max(r.feature_bound, 1.0); }

// Largest value of |p| on its interval, with some room.
double slope_bound(const LogisticPlan& plan) {
    const double m = plan.request.margin_bound;
    return 0.5 + std::abs(plan.linear) * m + std::abs(plan.cubic) * m * m * m;
}

std::vector<int> powers(int first, int last, int sign, int modulus) {
    std::vector<int> out;
    for (int step = first; step < last; step *= 2) out.push_back(sign > 0 ? step : modulus - step);
    return out;
}

// One training run over a ciphertext of rows.
class Trainer {
  public:
    Trainer(const LogisticPlan& plan, const Ciphertext& rows, const EvaluationKeys& keys)
        : plan_(plan),
          keys_(keys),
          encoder_(rows.context()),
          evaluator_(rows.context()),
          rows_(rows),
          slots_(plan.width * plan.height) {}

    Ciphertext run() {
        Ciphertext weights = first_step();
        for (int epoch = 1; epoch < plan_.request.epochs; ++epoch) weights = step(weights);
        return weights;
    }

  private:
    double rate() const { return plan_.request.learning_rate / plan_.request.rows; }

    Ciphertext sum_rows(const Ciphertext& products, double bound) const {
        return internal::fold_independent(evaluator_, products,
                                          powers(plan_.width, slots_, 1, slots_), keys_.galois,
                                          bound * plan_.request.rows);
    }

    // Where all weights are 0 every p is 1/2.
    Ciphertext first_step() const {
        const Ciphertext share = evaluator_.rescale(evaluator_.multiply(rows_, rate() / 2));
        return sum_rows(share, row_bound(plan_.request) * rate() / 2);
    }

    Ciphertext step(const Ciphertext& weights) const {
        const Ciphertext slopes = slopes_of(margins_of(weights));
        const Ciphertext z = evaluator_.drop_to_level(rows_, slopes.level());
        const Ciphertext products = evaluator_.rescale(evaluator_.multiply(z, slopes, keys_.relin));
        const double bound = row_bound(plan_.request) * slope_bound(plan_) * rate();
        const Ciphertext change = sum_rows(internal::with_value_bound(products, bound), bound);
        return evaluator_.add(change, evaluator_.adjust(weights, change.level(), change.scale()));
    }

    // z_i w at the first slot of each row; rests in the others.
    Ciphertext margins_of(const Ciphertext& weights) const {
        const Ciphertext z = evaluator_.drop_to_level(rows_, weights.level());
        const Ciphertext products =
            evaluator_.rescale(evaluator_.multiply(z, weights, keys_.relin));
        const double bound = plan_.request.margin_bound;
        return internal::fold_independent(evaluator_, internal::with_value_bound(products, bound),
                                          powers(1, plan_.width, 1, slots_), keys_.galois, bound);
    }

    // rate p(margin) in all slots of a row: (cubic m)(m^2 + linear / cubic) + 1/2, where the first
    // factor also clears the slots between the margins.
    Ciphertext slopes_of(const Ciphertext& margins) const {
        const auto heads = [&](double value) {
            std::vector<double> out(static_cast<size_t>(plan_.width));
            out[0] = value * rate();
            return out;
        };
        const double prime = evaluator_.rescale_prime(margins.level());
        const auto cubic = evaluator_.rescale(evaluator_.multiply(
            margins,
            encoder_.encode(heads(plan_.cubic),
                            {.scale = prime, .level = margins.level(), .slots = plan_.width})));
        const auto square = evaluator_.rescale(evaluator_.multiply(margins, margins, keys_.relin));
        const auto product = evaluator_.rescale(evaluator_.multiply(
            cubic, evaluator_.add(square, plan_.linear / plan_.cubic), keys_.relin));
        const auto half = encoder_.encode(
            heads(0.5), {.scale = product.scale(), .level = product.level(), .slots = plan_.width});
        const double bound = slope_bound(plan_) * rate();
        return internal::fold_independent(
            evaluator_, internal::with_value_bound(evaluator_.add(product, half), bound),
            powers(1, plan_.width, -1, slots_), keys_.galois, bound);
    }

    const LogisticPlan& plan_;
    const EvaluationKeys& keys_;
    CkksEncoder encoder_;
    CkksEvaluator evaluator_;
    Ciphertext rows_;
    int slots_;
};

}  // namespace

LogisticPlan plan_logistic(const LogisticRequest& request) {
    check(request);
    LogisticPlan plan;
    plan.request = request;
    fit_sigmoid(plan);
    plan.width = static_cast<int>(std::bit_ceil(static_cast<unsigned>(request.features + 1)));
    const int depth = 1 + kLevelsPerEpoch * (request.epochs - 1);
    // Rows fill the ring: as many as there is room for, so that sums over rows close in a circle.
    for (int log_slots = 9; log_slots <= kLargestLogSlots; ++log_slots) {
        plan.height = (1 << log_slots) / plan.width;
        if (plan.height < request.rows) continue;
        plan.parameters = ckks_parameters({.depth = depth,
                                           .scale_bits = request.scale_bits,
                                           .integer_bits = 18,
                                           .min_slots = 1 << log_slots,
                                           .security = request.security});
        if (plan.parameters.log_degree - 1 == log_slots) break;
    }
    if (plan.parameters.log_degree == 0) {
        throw Error(ErrorCode::kUnsupported,
                    "rows times features must be at most 32768 with the features rounded up to a "
                    "power of two");
    }
    const int slots = plan.width * plan.height;
    const auto use = [&](const std::vector<int>& steps, int level) {
        for (int step : steps) plan.rotations[step] = std::max(plan.rotations[step], level);
    };
    use(powers(plan.width, slots, 1, slots), depth - 1);
    use(powers(1, plan.width, 1, slots), depth - 2);
    use(powers(1, plan.width, -1, slots), depth - 4);
    return plan;
}

Ciphertext encrypt_rows(const LogisticPlan& plan, std::span<const double> rows,
                        std::span<const int> labels, const SecretKey& key, Random& random) {
    const CkksEncoder encoder(key.context());
    return encrypt(
        key, encoder.encode(signed_rows(plan, rows, labels), {.bound = row_bound(plan.request)}),
        random);
}

Ciphertext train_logistic(const LogisticPlan& plan, const Ciphertext& rows,
                          const EvaluationKeys& keys) {
    return Trainer(plan, rows, keys).run();
}

std::vector<double> train_logistic_twin(const LogisticPlan& plan, std::span<const double> rows,
                                        std::span<const int> labels) {
    const auto z = signed_rows(plan, rows, labels);
    std::vector<double> weights(static_cast<size_t>(plan.request.features) + 1, 0.0);
    const double rate = plan.request.learning_rate / plan.request.rows;
    for (int epoch = 0; epoch < plan.request.epochs; ++epoch) {
        std::vector<double> change(weights.size(), 0.0);
        for (int i = 0; i < plan.request.rows; ++i) {
            const double* row = z.data() + static_cast<ptrdiff_t>(i) * plan.width;
            double m = 0;
            for (size_t j = 0; j < weights.size(); ++j) m += row[j] * weights[j];
            const double slope = rate * (0.5 + plan.linear * m + plan.cubic * m * m * m);
            for (size_t j = 0; j < weights.size(); ++j) change[j] += slope * row[j];
        }
        for (size_t j = 0; j < weights.size(); ++j) weights[j] += change[j];
    }
    return weights;
}

}  // namespace ward::he
