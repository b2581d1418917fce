#include "ward/he/polynomial.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numbers>
#include <string>
#include <utility>

#include "ward/core/error.h"
#include "ward/he/internal/bodies.h"
#include "ward/he/internal/chebyshev.h"
#include "ward/he/internal/evaluate.h"

namespace ward::he {

using internal::chebyshev_at_edge;
using internal::Coefficients;
using internal::Growth;
using internal::with_bounds;
using internal::with_value_bound;

namespace {

int log2_ceil(int x) { return std::bit_width(static_cast<unsigned>(x - 1)); }

// Powers below this are computed one by one, the others by splitting.
int baby_count(int degree) {
    if (degree < 8) return 2;
    const int log = log2_ceil(degree + 1);
    return 1 << ((log + 1) / 2);
}

// The same but for rounding in doubles.
Ciphertext with_scale(const Ciphertext& c, double scale) {
    auto body = std::make_shared<internal::CiphertextBody>(c.body());
    body->error_bound += body->value_bound * std::abs(body->scale / scale - 1);
    body->scale = scale;
    return Ciphertext(std::move(body));
}

// Powers of x, or Chebyshev's polynomials of it.
class PowerBasis {
  public:
    PowerBasis(const CkksEvaluator& evaluator, const Ciphertext& x, const RelinKey& key,
               bool chebyshev)
        : evaluator_(evaluator), key_(key), chebyshev_(chebyshev), beyond_(x.value_bound() - 1) {
        powers_.emplace(1, x);
    }

    const Ciphertext& power(int k) {
        const auto found = powers_.find(k);
        if (found != powers_.end()) return found->second;
        const int high = std::has_single_bit(static_cast<unsigned>(k))
                             ? k / 2
                             : static_cast<int>(std::bit_floor(static_cast<unsigned>(k)));
        const int low = k - high;
        const Ciphertext a = power(high), b = power(low);
        Ciphertext product = evaluator_.multiply(a, b, key_);
        if (chebyshev_) product = evaluator_.add(product, product);
        product = evaluator_.rescale(product);
        if (chebyshev_) {  // T_{a+b} = 2 T_a T_b - T_{a-b}
            product = high == low
                          ? evaluator_.add(product, -1.0)
                          : evaluator_.subtract(
                                product, evaluator_.adjust(power(high - low), product.level(),
                                                           product.scale()));
            product = with_value_bound(product, largest(k));
        }
        return powers_.emplace(k, std::move(product)).first->second;
    }

    // p = quotient T_split + rest.
    void split(const Coefficients& p, int split, Coefficients& quotient, Coefficients& rest) const {
        rest.assign(p.begin(), p.begin() + split);
        quotient.assign(p.begin() + split, p.end());
        if (!chebyshev_) return;
        for (size_t k = 1; k < quotient.size(); ++k) {
            rest[split - k] -= quotient[k];
            quotient[k] *= 2;
        }
    }

    bool chebyshev() const { return chebyshev_; }
    // Of T_k.
    double largest(int k) const {
        return beyond_ > 0 ? chebyshev_at_edge(static_cast<size_t>(k), beyond_) : 1.0;
    }
    const CkksEvaluator& evaluator() const { return evaluator_; }
    const RelinKey& key() const { return key_; }

  private:
    const CkksEvaluator& evaluator_;
    const RelinKey& key_;
    bool chebyshev_;
    double beyond_;  // of [-1, 1], for Chebyshev's polynomials
    std::map<int, Ciphertext> powers_;
};

// The sum of coefficients times basis at the given level and scale.
Ciphertext evaluate_small(PowerBasis& basis, const Coefficients& p, int level, double scale) {
    const CkksEvaluator& e = basis.evaluator();
    const double before = scale * e.rescale_prime(level + 1);
    const Ciphertext x = e.drop_to_level(basis.power(1), level + 1);
    Ciphertext sum =
        with_scale(e.multiply(x, p.size() > 1 ? p[1] : 0.0, before / x.scale()), before);
    for (size_t k = 2; k < p.size(); ++k) {
        if (p[k] == 0) continue;
        const Ciphertext term = e.drop_to_level(basis.power(static_cast<int>(k)), level + 1);
        sum = e.add(sum, with_scale(e.multiply(term, p[k], before / term.scale()), before));
    }
    return with_scale(e.rescale(e.add(sum, p[0])), scale);
}

Ciphertext evaluate(PowerBasis& basis, const Coefficients& p, int babies, int level, double scale) {
    const int degree = static_cast<int>(p.size()) - 1;
    const CkksEvaluator& e = basis.evaluator();
    if (degree < babies) return evaluate_small(basis, p, level, scale);
    int split = babies;
    while (2 * split <= degree) split *= 2;
    Coefficients quotient, rest;
    basis.split(p, split, quotient, rest);
    const Ciphertext power = e.drop_to_level(basis.power(split), level + 1);
    const double quotient_scale = scale * e.rescale_prime(level + 1) / power.scale();
    const Ciphertext q = evaluate(basis, quotient, babies, level + 1, quotient_scale);
    const Ciphertext product = with_scale(e.rescale(e.multiply(q, power, basis.key())), scale);
    Ciphertext sum = e.add(product, evaluate(basis, rest, babies, level, scale));
    if (basis.chebyshev()) {
        double bound = 0;
        for (int k = 0; k <= degree; ++k) bound += std::abs(p[k]) * basis.largest(k);
        sum = with_value_bound(sum, bound);
    }
    return sum;
}

Ciphertext evaluate_checked(const CkksEvaluator& evaluator, const Ciphertext& x,
                            std::span<const double> coefficients, const RelinKey& key,
                            bool chebyshev, double known_slope) {
    Coefficients p(coefficients.begin(), coefficients.end());
    for (double c : p) {
        if (!std::isfinite(c)) throw Error(ErrorCode::kInvalid, "coefficients must be finite");
    }
    while (p.size() > 2 && p.back() == 0) p.pop_back();
    if (p.empty()) throw Error(ErrorCode::kInvalid, "a polynomial needs a coefficient, got none");
    const int degree = static_cast<int>(p.size()) - 1;
    const int depth = polynomial_depth(degree);
    if (x.level() < depth) {
        throw Error(ErrorCode::kRefused,
                    "a polynomial of degree " + std::to_string(degree) + " takes " +
                        std::to_string(depth) + " levels, got " + std::to_string(x.level()),
                    "ask for more depth");
    }
    // What is evaluated is p at x with its error, which counts as exact here: operation by
    // operation its error would seem to grow much more than it does.
    const double error = x.error_bound();
    const Growth growth = chebyshev ? internal::growth_of_chebyshev(p, error)
                                    : internal::growth_of_powers(p, x.value_bound(), error);
    PowerBasis basis(evaluator, with_bounds(x, x.value_bound() + error, 0), key, chebyshev);
    const Ciphertext y = evaluate(basis, p, baby_count(degree), x.level() - depth, x.scale());
    return with_bounds(y, std::min(y.value_bound(), growth.value),
                       y.error_bound() + (known_slope > 0 ? known_slope : growth.slope) * error);
}

}  // namespace

int polynomial_depth(int degree) {
    if (degree < 0) {
        throw Error(ErrorCode::kInvalid, "degree must be >= 0, got " + std::to_string(degree));
    }
    return std::max(1, log2_ceil(degree + 1)) + (degree < 8 ? 0 : 1);
}

Ciphertext evaluate_polynomial(const CkksEvaluator& evaluator, const Ciphertext& x,
                               std::span<const double> coefficients, const RelinKey& key) {
    return evaluate_checked(evaluator, x, coefficients, key, false, 0);
}

Ciphertext evaluate_chebyshev(const CkksEvaluator& evaluator, const Ciphertext& x,
                              std::span<const double> coefficients, const RelinKey& key,
                              double known_slope) {
    if (x.value_bound() > 1) {
        throw Error(ErrorCode::kInvalid,
                    "x must be bounded by 1, got " + std::to_string(x.value_bound()),
                    "map the interval to [-1, 1] first, and declare the bound");
    }
    return evaluate_checked(evaluator, x, coefficients, key, true, known_slope);
}

std::vector<double> chebyshev_coefficients(const std::function<double(double)>& function,
                                           double low, double high, int degree) {
    if (degree < 0 || degree > 4096 || !(low < high)) {
        throw Error(ErrorCode::kInvalid, "needs low < high and a degree of 0..4096");
    }
    const int nodes = degree + 1;
    std::vector<double> values(nodes), out(nodes);
    for (int i = 0; i < nodes; ++i) {
        const double x = std::cos(std::numbers::pi * (i + 0.5) / nodes);
        values[i] = function((low + high) / 2 + x * (high - low) / 2);
    }
    for (int k = 0; k < nodes; ++k) {
        double sum = 0;
        for (int i = 0; i < nodes; ++i) {
            sum += values[i] * std::cos(std::numbers::pi * k * (i + 0.5) / nodes);
        }
        out[k] = (k == 0 ? 1.0 : 2.0) / nodes * sum;
    }
    return out;
}

}  // namespace ward::he
