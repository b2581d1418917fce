#include "ward/he/infer/precision.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>

#include "ward/core/error.h"
#include "ward/he/infer/internal/slot_plan.h"
#include "ward/he/internal/bodies.h"
#include "ward/he/internal/noise.h"

namespace ward::he {
namespace {

// Standard deviations in units of values: of a slot, where a polynomial of random coefficients of
// variance v has N v.
class Deviations {
  public:
    explicit Deviations(const Parameters& p)
        : degree_(std::exp2(p.log_degree)), scale_(std::exp2(p.scale_bits)) {}

    double fresh() const { return internal::kErrorSigma * std::sqrt(degree_) / scale_; }
    // Remainders of a rescaling, beside powers of the ternary secret.
    double rounding(int polynomials) const {
        const double secret = degree_ * 2 / 3;  // its variance
        const double squared = polynomials == 3 ? 2 * secret * secret : 0;
        return std::sqrt(degree_ / 12 * (1 + secret + squared)) / scale_;
    }

  private:
    double degree_, scale_;
};

class Simulation {
  public:
    Simulation(const Network& network, const Plan& plan)
        : network_(network), plan_(plan), deviations_(plan.parameters) {}

    std::vector<double> run(std::span<const double> input) {
        std::vector<std::vector<double>> operands = {{input.begin(), input.end()}};
        add_noise(operands.back(), deviations_.fresh());
        int polynomials = 2;
        for (size_t i = 0; i < network_.stages.size(); ++i) {
            const Stage& stage = network_.stages[i];
            Stage sums = stage;
            sums.has_activation = false;
            std::vector<double> y = evaluate_stage(sums, operands);
            const bool fitted = stage.has_activation && !stage.activation.is_square();
            double rounded = deviations_.rounding(polynomials);
            if (fitted) rounded *= stage.activation.radius;  // in whose units sums are made
            if (plan_.slots) {
                const auto folds = plan_.slots->stages[i].layout.folds.size();
                rounded *= std::exp2(static_cast<double>(folds) / 2);
            }
            add_noise(y, rounded);
            polynomials = 2;
            if (stage.has_activation) {
                for (double& v : y) v = stage.activation(v);
                add_noise(y, deviations_.rounding(2) * products(stage.activation));
                const bool batch = plan_.packing == Packing::kBatch;
                if (batch && stage.activation.is_square()) polynomials = 3;
            }
            operands.push_back(std::move(y));
        }
        return std::move(operands.back());
    }

  private:
    // Roundings of the products in a polynomial, as they are seen in the sum.
    static double products(const PolynomialActivation& activation) {
        double squares = 1;
        for (size_t k = 1; k < activation.chebyshev.size(); ++k) {
            squares += std::pow(activation.chebyshev[k] * 2 * static_cast<double>(k), 2);
        }
        return std::sqrt(squares);
    }

    void add_noise(std::vector<double>& values, double deviation) {
        for (double& v : values) v += deviation * gaussian_(generator_);
    }

    const Network& network_;
    const Plan& plan_;
    Deviations deviations_;
    std::mt19937_64 generator_{1};
    std::normal_distribution<double> gaussian_;
};

}  // namespace

double output_spread(const Network& network, std::span<const double> examples) {
    const auto size = static_cast<size_t>(network.inputs);
    const size_t count = examples.size() / size;
    double sum = 0;
    for (size_t i = 0; i < count; ++i) {
        const auto y = evaluate(network, examples.subspan(i * size, size));
        const auto [low, high] = std::minmax_element(y.begin(), y.end());
        sum += y.size() == 1 ? std::abs(y[0]) : *high - *low;
    }
    return count == 0 ? 0 : sum / static_cast<double>(count);
}

double noise_deviation(const Ciphertext& c) {
    const auto slots = static_cast<double>(c.context()->degree()) / 2;
    const double copies = slots / static_cast<double>(std::max<size_t>(c.body().slots, 1));
    return c.error_bound() / internal::kTail / std::sqrt(copies);
}

void require_readable(const Ciphertext& hidden, double spread) {
    const double deviation = noise_deviation(hidden);
    if (deviation <= spread / 8) return;
    char message[160];
    std::snprintf(message, sizeof message,
                  "the noise of circuit privacy (deviation up to %.2g) would drown outputs that "
                  "differ by %.2g",
                  deviation, spread);
    throw Error(ErrorCode::kRefused, message,
                "take fewer bits, or a larger --scale-bits for plan, keys and requests");
}

double simulated_error(const Network& network, const Plan& plan, std::span<const double> examples) {
    Simulation simulation(network, plan);
    const auto size = static_cast<size_t>(network.inputs);
    double largest = 0;
    for (size_t i = 0; i + size <= examples.size(); i += size) {
        const auto exact = evaluate(network, examples.subspan(i, size));
        const auto noisy = simulation.run(examples.subspan(i, size));
        for (size_t k = 0; k < exact.size(); ++k) {
            largest = std::max(largest, std::abs(exact[k] - noisy[k]));
        }
    }
    return largest;
}

}  // namespace ward::he
