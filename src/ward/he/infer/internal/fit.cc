#include "ward/he/infer/internal/fit.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ward/he/internal/chebyshev.h"

namespace ward::he::internal {
namespace {

constexpr double kUniformWeight = 2e-5;  // of the whole interval, against 1 of all samples
constexpr int kUniformPoints = 512;

// Normal equations of the fit, solved by Cholesky's method; the basis is well conditioned under the
// uniform part alone.
class LeastSquares {
  public:
    explicit LeastSquares(size_t size) : size_(size), matrix_(size * size), right_(size) {}

    void add(double u, double value, double weight) {
        std::vector<double> t(size_, 1.0);
        if (size_ > 1) t[1] = u;
        for (size_t k = 2; k < size_; ++k) t[k] = 2 * u * t[k - 1] - t[k - 2];
        for (size_t i = 0; i < size_; ++i) {
            for (size_t j = 0; j <= i; ++j) matrix_[i * size_ + j] += weight * t[i] * t[j];
            right_[i] += weight * t[i] * value;
        }
    }

    std::vector<double> solve() {
        for (size_t i = 0; i < size_; ++i) {
            for (size_t j = 0; j <= i; ++j) {
                double& x = matrix_[i * size_ + j];
                for (size_t k = 0; k < j; ++k) x -= matrix_[i * size_ + k] * matrix_[j * size_ + k];
                x = i == j ? std::sqrt(x) : x / matrix_[j * size_ + j];
            }
        }
        for (size_t i = 0; i < size_; ++i) {
            for (size_t k = 0; k < i; ++k) right_[i] -= matrix_[i * size_ + k] * right_[k];
            right_[i] /= matrix_[i * size_ + i];
        }
        for (size_t i = size_; i-- > 0;) {
            for (size_t k = i + 1; k < size_; ++k) right_[i] -= matrix_[k * size_ + i] * right_[k];
            right_[i] /= matrix_[i * size_ + i];
        }
        return right_;
    }

  private:
    size_t size_;
    std::vector<double> matrix_, right_;
};

}  // namespace

PolynomialActivation fit_activation(const std::function<double(double)>& function,
                                    std::span<const double> samples, double radius, int degree) {
    LeastSquares fit(static_cast<size_t>(degree) + 1);
    const double weight = samples.empty() ? 0.0 : 1.0 / static_cast<double>(samples.size());
    for (double x : samples) fit.add(x / radius, function(x), weight);
    for (int i = 0; i < kUniformPoints; ++i) {
        const double u = std::cos(std::numbers::pi * (i + 0.5) / kUniformPoints);
        fit.add(u, function(u * radius), kUniformWeight / kUniformPoints);
    }
    PolynomialActivation out;
    out.chebyshev = fit.solve();
    out.radius = radius;
    double squares = 0;
    for (double x : samples) squares += std::pow(out(x) - function(x), 2) * weight;
    out.fit_error = std::sqrt(squares);
    const Coefficients derivative = chebyshev_derivative(out.chebyshev);
    for (double x : samples) {
        out.slope = std::max(out.slope, std::abs(sum_chebyshev(derivative, x / radius)));
    }
    return out;
}

}  // namespace ward::he::internal
