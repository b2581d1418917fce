#include "ward/dp/pld.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <numbers>
#include <vector>

#include "ward/core/error.h"
#include "ward/dp/calibrate.h"
#include "ward/dp/gaussian.h"
#include "ward/dp/internal/fft.h"
#include "ward/dp/internal/normal.h"
#include "ward/dp/internal/step_loss.h"
#include "ward/dp/rdp.h"

namespace ward::dp {
namespace {

using internal::Direction;
using internal::GridMasses;
using internal::StepLoss;

const nlohmann::json& reference() {
    static const nlohmann::json file = [] {
        std::ifstream in(WARD_SHARED_DIR "/reference/dp_reference.json");
        return in ? nlohmann::json::parse(in) : nlohmann::json();
    }();
    return file;
}

CertifiedValue epsilon_of(double q, double sigma, int64_t steps, double delta) {
    const SampledGaussianPhase phase{q, sigma, steps};
    return pld_epsilon({&phase, 1}, delta);
}

std::string where(const nlohmann::json& e) {
    return "q " + e["q"].dump() + " sigma " + e["sigma"].dump() + " T " + e["T"].dump() +
           " delta " + e["delta"].dump();
}

// The tightest upper value of an entry. eps_pld_pessimistic has a fixed grid, loose for many steps.
double tightest(const nlohmann::json& e) {
    for (const char* key : {"eps_exact", "eps_high_precision"}) {
        if (e.contains(key)) return e[key];
    }
    double best = e["eps_pld_pessimistic"];
    if (e.contains("eps_prv_upper")) best = std::min(best, e["eps_prv_upper"].get<double>());
    return best;
}

TEST(Pld, EveryReferenceEntryIsMet) {
    if (reference().is_null()) GTEST_SKIP() << "no reference values beside the checkout";
    for (const auto& e : reference()["dpsgd"]) {
        const CertifiedValue got = epsilon_of(e["q"], e["sigma"], e["T"], e["delta"]);
        EXPECT_LE(got.upper, tightest(e) * (1 + 1e-3)) << where(e);
        if (e.contains("eps_prv_lower")) {
            EXPECT_GE(got.upper, e["eps_prv_lower"]) << where(e);
        }
        if (e.contains("eps_pld_pessimistic")) {
            EXPECT_LE(got.lower, e["eps_pld_pessimistic"].get<double>() * (1 + 1e-9)) << where(e);
        }
        EXPECT_GE(got.lower, got.upper * (1 - 1e-3)) << where(e);
        EXPECT_LE(got.lower, got.upper) << where(e);
    }
}

// The values called "tilted" are estimates, good to the difference between their two meshes.
TEST(Pld, HighPrecisionValuesLieBetweenTheBounds) {
    if (reference().is_null()) GTEST_SKIP() << "no reference values beside the checkout";
    for (const auto& e : reference()["dpsgd_high_precision"]) {
        const bool exact = e.contains("eps_exact");
        const double truth = exact ? e["eps_exact"] : e["eps"];
        const double slop = exact ? 1e-9 : 2e-5;
        const CertifiedValue got = epsilon_of(e["q"], e["sigma"], e["T"], e["delta"]);
        EXPECT_GE(got.upper, truth * (1 - slop)) << where(e);
        EXPECT_LE(got.upper, truth * (1 + 1e-3)) << where(e);
        EXPECT_LE(got.lower, truth * (1 + slop)) << where(e);
        EXPECT_GE(got.lower, truth * (1 - 1e-3)) << where(e);
    }
}

TEST(Pld, HeterogeneousPhases) {
    if (reference().is_null()) GTEST_SKIP() << "no reference values beside the checkout";
    for (const auto& e : reference()["heterogeneous"]) {
        if (!e.contains("phases_q_sigma_T")) continue;
        std::vector<SampledGaussianPhase> phases;
        for (const auto& p : e["phases_q_sigma_T"]) phases.push_back({p[0], p[1], p[2]});
        const CertifiedValue got = pld_epsilon(phases, e["delta"]);
        const double expected = e["eps_pld_pessimistic"];
        EXPECT_NEAR(got.upper, expected, 1e-3 * expected);
        EXPECT_LE(got.lower, expected);
        EXPECT_GE(got.lower, 0.998 * got.upper);
    }
}

TEST(Pld, SplitPhasesAreOnePhase) {
    const std::vector<SampledGaussianPhase> split{{0.01, 1, 400}, {0.02, 2, 0}, {0.01, 1, 600}};
    EXPECT_EQ(pld_epsilon(split, 1e-5).upper, epsilon_of(0.01, 1, 1000, 1e-5).upper);
}

// Unsampled steps beside sampled ones: two codes for the same mechanism, q = 1 in closed form and
// q = 1 - 1e-12 by composition.
TEST(Pld, CompositionMeetsTheClosedFormOfTheGaussian) {
    for (double sigma : {0.7, 5.0, 30.0}) {
        for (double delta : {1e-3, 1e-9, 1e-15}) {
            const double truth = gaussian_epsilon(sigma / std::sqrt(50.0), delta);
            const CertifiedValue got = epsilon_of(1 - 1e-12, sigma, 50, delta);
            EXPECT_GE(got.upper, truth * (1 - 1e-9)) << sigma << " " << delta;
            EXPECT_LE(got.lower, truth * (1 + 1e-9)) << sigma << " " << delta;
            EXPECT_LT(got.upper - got.lower, 1e-3 * truth) << sigma << " " << delta;
        }
    }
}

TEST(Pld, DeltaOfEpsilon) {
    if (reference().is_null()) GTEST_SKIP() << "no reference values beside the checkout";
    for (const auto& e : reference()["delta_for_epsilon"]) {
        const SampledGaussianPhase phase{e["q"], e["sigma"], e["T"]};
        const CertifiedValue got = pld_delta({&phase, 1}, e["eps"]);
        const double pessimistic = e["delta_pld_pessimistic"];
        EXPECT_NEAR(got.upper, pessimistic, 2e-3 * pessimistic) << e.dump();
        EXPECT_LE(got.lower, pessimistic) << e.dump();
        EXPECT_GE(got.lower, 0.99 * got.upper) << e.dump();
    }
}

TEST(Pld, DeltaAndEpsilonAreInverse) {
    const SampledGaussianPhase phase{0.01, 1, 1000};
    for (double delta : {1e-2, 1e-5, 1e-10, 1e-15}) {
        const CertifiedValue epsilon = pld_epsilon({&phase, 1}, delta);
        EXPECT_LE(pld_delta({&phase, 1}, epsilon.upper).lower, delta);
        EXPECT_GE(pld_delta({&phase, 1}, epsilon.lower).upper, delta);
        EXPECT_NEAR(pld_delta({&phase, 1}, epsilon.upper).upper / delta, 1, 0.02);
    }
}

// Two steps without any grid: delta_2(epsilon) = E_P[delta_1(epsilon - L)], by quadrature.
double delta_of_two_steps(double q, double sigma, Direction direction, double epsilon) {
    const StepLoss step(q, sigma, direction);
    const double dt = sigma / 400;
    double sum = 0;
    for (double t = -12 * sigma; t < 1 + 12 * sigma; t += dt) {
        const double a = internal::normal_density(t / sigma) / sigma;
        const double b = internal::normal_density((t - 1) / sigma) / sigma;
        const double p = direction == Direction::kAdd ? b : (1 - q) * a + q * b;
        sum += p * step.delta(epsilon - step.loss(t)) * dt;
    }
    return sum;
}

TEST(Pld, TwoStepsAgainstQuadrature) {
    for (auto [q, sigma] : {std::pair(0.01, 1.0), {0.2, 0.5}, {0.5, 3.0}, {0.001, 0.4}}) {
        const SampledGaussianPhase phase{q, sigma, 2};
        for (double epsilon : {0.05, 0.5, 2.0}) {
            const double truth = std::max(delta_of_two_steps(q, sigma, Direction::kRemove, epsilon),
                                          delta_of_two_steps(q, sigma, Direction::kAdd, epsilon));
            const CertifiedValue got = pld_delta({&phase, 1}, epsilon);
            EXPECT_GE(got.upper, truth * (1 - 1e-7)) << q << " " << sigma << " " << epsilon;
            EXPECT_LE(got.lower, truth * (1 + 1e-7)) << q << " " << sigma << " " << epsilon;
            EXPECT_LE(got.upper - got.lower, 5e-3 * truth) << q << " " << sigma << " " << epsilon;
        }
    }
}

TEST(Pld, ExtremesStayCertifiedAndTight) {
    struct Case {
        double q, sigma;
        int64_t steps;
        double delta;
    };
    for (const Case& c : {Case{0.02, 0.2, 1000000, 1e-12},
                          {1e-5, 0.2, 1000000, 1e-12},
                          {1e-4, 0.5, 1000000, 1e-15},
                          {0.3, 0.05, 20, 1e-10},
                          {0.01, 1, 10000, 1e-15},
                          {1e-3, 100, 1000000, 1e-6},
                          {0.01, 1, 2, 0.3},
                          {0.999, 1, 100, 1e-5}}) {
        const CertifiedValue got = epsilon_of(c.q, c.sigma, c.steps, c.delta);
        EXPECT_TRUE(std::isfinite(got.upper)) << c.q << " " << c.sigma;
        EXPECT_GE(got.upper, got.lower) << c.q << " " << c.sigma;
        EXPECT_LE(got.upper - got.lower, 1e-3 * got.upper) << c.q << " " << c.sigma;
        const SampledGaussianPhase phase{c.q, c.sigma, c.steps};
        EXPECT_LE(got.lower, rdp_epsilon({&phase, 1}, c.delta).epsilon) << c.q << " " << c.sigma;
    }
}

TEST(Pld, MoreReleasedIsMoreLost) {
    const double base = epsilon_of(0.01, 1, 1000, 1e-5).upper;
    EXPECT_GT(epsilon_of(0.012, 1, 1000, 1e-5).lower, base);
    EXPECT_GT(epsilon_of(0.01, 0.95, 1000, 1e-5).lower, base);
    EXPECT_GT(epsilon_of(0.01, 1, 1100, 1e-5).lower, base);
    EXPECT_GT(epsilon_of(0.01, 1, 1000, 5e-6).lower, base);
    EXPECT_EQ(epsilon_of(0.01, 1, 0, 1e-5).upper, 0);
    EXPECT_EQ(epsilon_of(0.001, 100, 1, 0.5).upper, 0);
}

// delta of one step from its grid.
double grid_delta(const GridMasses& grid, double h, double epsilon) {
    double sum = grid.infinite;
    for (size_t i = 0; i < grid.mass.size(); ++i) {
        const double l =
            grid.offset + static_cast<double>(grid.first + static_cast<int64_t>(i)) * h;
        if (l > epsilon) sum += grid.mass[i] * -std::expm1(epsilon - l);
    }
    return sum;
}

TEST(StepLoss, GridsEncloseTheCurveEverywhere) {
    for (Direction direction : {Direction::kRemove, Direction::kAdd}) {
        for (auto [q, sigma] :
             {std::pair(0.01, 1.0), {0.5, 0.3}, {0.9, 5.0}, {1.0, 2.0}, {1e-4, 0.5}}) {
            const StepLoss step(q, sigma, direction);
            const StepLoss::Cut cut{1e-13, 1e-15, 1e3};
            for (double h : {0.3, 0.02, 0.001}) {
                const GridMasses upper = step.upper(h, cut), lower = step.lower(h, cut);
                double mass = upper.infinite;
                for (double m : upper.mass) mass += m;
                EXPECT_NEAR(mass, 1, 1e-12);
                for (double epsilon = -3; epsilon < 6; epsilon += 0.0837) {
                    const double truth = step.delta(epsilon);
                    EXPECT_GE(grid_delta(upper, h, epsilon), truth - 1e-13)
                        << q << " " << sigma << " " << h << " " << epsilon;
                    EXPECT_LE(grid_delta(lower, h, epsilon), truth + 1e-13)
                        << q << " " << sigma << " " << h << " " << epsilon;
                }
            }
        }
    }
}

TEST(StepLoss, PositionInvertsLoss) {
    for (Direction direction : {Direction::kRemove, Direction::kAdd}) {
        const StepLoss step(0.1, 0.8, direction);
        for (double t : {-1.0, 0.0, 0.4, 1.5, 3.0}) {
            EXPECT_NEAR(step.position(step.loss(t)), t, 1e-9);
        }
    }
}

TEST(Fft, MeetsTheSum) {
    for (int log2_size : {1, 2, 3, 4, 5, 8}) {
        internal::Fft fft(log2_size);
        const size_t n = fft.size();
        std::vector<double> re(n), im(n);
        for (size_t j = 0; j < n; ++j) {
            re[j] = std::sin(1.0 + static_cast<double>(j * j));
            im[j] = std::cos(2.0 + static_cast<double>(3 * j));
        }
        const auto re0 = re, im0 = im;
        fft.forward(re, im);
        double total = 0;
        for (size_t j = 0; j < n; ++j) total += std::hypot(re0[j], im0[j]);
        for (size_t k = 0; k < n; ++k) {
            std::complex<long double> sum = 0;
            for (size_t j = 0; j < n; ++j) {
                const long double angle = -2 * std::numbers::pi_v<long double> *
                                          static_cast<long double>(j * k % n) /
                                          static_cast<long double>(n);
                sum += std::complex<long double>(re0[j], im0[j]) *
                       std::complex<long double>(std::cos(angle), std::sin(angle));
            }
            const double error =
                static_cast<double>(std::abs(sum - std::complex<long double>(re[k], im[k])));
            EXPECT_LE(error, fft.relative_error() * total) << n << " " << k;
        }
        fft.inverse(re, im);
        for (size_t j = 0; j < n; ++j) {
            EXPECT_NEAR(re[j], re0[j], 1e-14);
            EXPECT_NEAR(im[j], im0[j], 1e-14);
        }
    }
}

TEST(Normal, IntervalsKeepTheirRelativeAccuracy) {
    for (double a : {0.0, 0.5, 3.0, 8.0, 20.0}) {
        for (double width : {1e-6, 1e-3, 0.02, 0.3}) {
            // Additivity across the switch between the two formulas.
            const double whole = internal::normal_interval(a, a + width);
            const double parts = internal::normal_interval(a, a + width / 3) +
                                 internal::normal_interval(a + width / 3, a + width);
            EXPECT_NEAR(parts / whole, 1, 2e-9 * (width < 1e-5 ? 1 : 1e-3)) << a << " " << width;
        }
    }
}

TEST(Gaussian, ExactEpsilonOfTheReference) {
    if (reference().is_null()) GTEST_SKIP() << "no reference values beside the checkout";
    for (const auto& e : reference()["gaussian_exact"]) {
        const double expected = e["eps"];
        EXPECT_NEAR(gaussian_epsilon(e["sigma"], e["delta"]), expected, 1e-9 * (1 + expected))
            << e.dump();
    }
    for (const auto& e : reference()["gaussian_calibration"]) {
        const double expected = e["sigma_analytic"];
        EXPECT_NEAR(gaussian_sigma(e["eps"], e["delta"]), expected, 1e-6 * expected) << e.dump();
    }
}

TEST(Calibrate, NoiseOfTheReference) {
    if (reference().is_null()) GTEST_SKIP() << "no reference values beside the checkout";
    for (const auto& e : reference()["calibration_dpsgd"]) {
        const double target = e["target_eps"], delta = e["delta"], q = e["q"];
        const int64_t steps = e["T"];
        const double sigma = calibrate_noise_multiplier(target, delta, q, steps);
        const double upper = epsilon_of(q, sigma, steps, delta).upper;
        EXPECT_LE(upper, target) << e.dump();
        EXPECT_GE(upper, target * (1 - 1e-3)) << e.dump();
        if (e.contains("sigma_pld")) {
            EXPECT_NEAR(sigma, e["sigma_pld"].get<double>(), 1e-3 * sigma) << e.dump();
        }
        // The reference's RDP is the looser series, so its noise can only be larger.
        const double by_rdp = calibrate_noise_multiplier(target, delta, q, steps, Accountant::kRdp);
        EXPECT_LE(by_rdp, e["sigma_rdp"].get<double>() * (1 + 2e-5)) << e.dump();
        EXPECT_GE(by_rdp, sigma) << e.dump();
    }
}

std::string message_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kUsage);
        EXPECT_FALSE(error.hint().empty());
        return error.message();
    }
    return "no error";
}

TEST(Calibrate, ExtremeTargets) {
    EXPECT_EQ(calibrate_noise_multiplier(1e9, 1e-5, 0.01, 10), 0.01);
    EXPECT_THAT(message_of([] { calibrate_noise_multiplier(1e-30, 1e-300, 1, 1000000); }),
                ::testing::HasSubstr("no noise multiplier"));
}

TEST(Pld, BadInputIsNamed) {
    using ::testing::HasSubstr;
    EXPECT_THAT(message_of([] { epsilon_of(0.1, 1, 10, 0); }),
                HasSubstr("delta must be in (0, 1), got 0"));
    EXPECT_THAT(message_of([] { epsilon_of(1.5, 1, 10, 1e-5); }), HasSubstr("sampling rate"));
    EXPECT_THAT(message_of([] { epsilon_of(0.5, 0, 10, 1e-5); }), HasSubstr("noise multiplier"));
    EXPECT_THAT(message_of([] { pld_delta({}, -1); }), HasSubstr("epsilon must be"));
    EXPECT_THAT(message_of([] { calibrate_noise_multiplier(-1, 1e-5, 0.1, 10); }),
                HasSubstr("epsilon must be finite and > 0, got -1"));
}

}  // namespace
}  // namespace ward::dp
