#include "ward/dp/rdp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "ward/core/error.h"

namespace ward::dp {
namespace {

using ::testing::HasSubstr;

nlohmann::json reference() {
    std::ifstream in(WARD_SHARED_DIR "/reference/dp_reference.json");
    return in ? nlohmann::json::parse(in) : nlohmann::json();
}

TEST(Rdp, DefaultOrdersAreThoseOfDpAccounting) {
    const auto& orders = default_rdp_orders();
    ASSERT_EQ(orders.size(), 99u + 53u + 4u);
    EXPECT_DOUBLE_EQ(orders.front(), 1.1);
    EXPECT_DOUBLE_EQ(orders[98], 10.9);
    EXPECT_DOUBLE_EQ(orders[99], 11);
    EXPECT_DOUBLE_EQ(orders.back(), 1024);
}

TEST(Rdp, UnsampledGaussianIsClosedForm) { EXPECT_DOUBLE_EQ(rdp_of_step(1, 2, 3.5), 3.5 / 8); }

// At q = 1 - 2^-53 the general formulas must meet the closed form of the unsampled Gaussian.
TEST(Rdp, BothFormulasMeetTheClosedForm) {
    const double q = 1 - 0x1p-53;
    for (double sigma : {0.3, 1.0, 5.0}) {
        for (double order : {1.1, 1.5, 2.0, 2.5, 7.3, 32.0}) {
            const double expected = order / (2 * sigma * sigma);
            EXPECT_NEAR(rdp_of_step(q, sigma, order), expected, 1e-9 * expected)
                << sigma << " " << order;
        }
    }
}

// Two independent formulas: the quadrature next to a whole order against the binomial sum.
TEST(Rdp, QuadratureMeetsTheBinomialSum) {
    for (double q : {1e-6, 1e-3, 0.1, 0.9}) {
        for (double sigma : {0.2, 0.7, 1.0, 4.0, 100.0}) {
            for (double order : {2.0, 3.0, 8.0, 20.0}) {
                const double whole = rdp_of_step(q, sigma, order);
                const double below = rdp_of_step(q, sigma, order - 1e-7);
                const double above = rdp_of_step(q, sigma, order + 1e-7);
                EXPECT_NEAR((below + above) / 2, whole, 1e-8 * whole)
                    << q << " " << sigma << " " << order;
            }
        }
    }
}

TEST(Rdp, TinyRatesKeepTheirRelativeAccuracy) {
    // To second order in q: (order / 2) q^2 (exp(1 / sigma^2) - 1).
    for (double order : {1.5, 2.0, 4.5, 64.0}) {
        const double q = 1e-9;
        const double expected = order / 2 * q * q * std::expm1(1 / 25.0);
        EXPECT_NEAR(rdp_of_step(q, 5, order), expected, 1e-6 * expected) << order;
    }
}

// At whole orders the two formulas and the reference are one; elsewhere the reference follows
// kAbsoluteSeries, and the exact value lies below it.
TEST(Rdp, CurvesOfTheReference) {
    const auto file = reference();
    if (file.is_null()) GTEST_SKIP() << "no reference values beside the checkout";
    int checked = 0;
    for (const auto& entry : file["rdp_curve"]) {
        if (entry["mechanism"] != "poisson-sampled gaussian") continue;
        for (size_t i = 0; i < entry["orders"].size(); ++i) {
            if (!entry["rdp"][i].is_number()) continue;  // "inf": its series did not settle
            const double expected = entry["rdp"][i];
            const double order = entry["orders"][i];
            const double series =
                rdp_of_step(entry["q"], entry["sigma"], order, RdpFormula::kAbsoluteSeries);
            const double exact = rdp_of_step(entry["q"], entry["sigma"], order);
            EXPECT_NEAR(series, expected, 1e-6 * expected) << entry.dump() << " at " << i;
            EXPECT_LE(exact, expected * (1 + 1e-9)) << entry.dump() << " at " << i;
            if (order == std::floor(order)) {
                EXPECT_NEAR(exact, expected, 1e-6 * expected);
            }
            ++checked;
        }
    }
    EXPECT_GE(checked, 80);
}

// Moments by 30-digit quadrature (mpmath 1.3): the values that kAbsoluteSeries exceeds.
TEST(Rdp, FractionalOrdersAgainstHighPrecision) {
    EXPECT_NEAR(rdp_of_step(0.01, 1.0, 1.25), 0.000105398005098132869, 1e-15);
    EXPECT_NEAR(rdp_of_step(0.1, 2.0, 1.25), 0.00173765484949832503, 1e-14);
    EXPECT_NEAR(rdp_of_step(0.1, 2.0, 2.5), 0.00359407719941327434, 1e-14);
}

TEST(Rdp, EpsilonsOfTheReference) {
    const auto file = reference();
    if (file.is_null()) GTEST_SKIP() << "no reference values beside the checkout";
    for (const auto& entry : file["dpsgd"]) {
        const SampledGaussianPhase phase{entry["q"], entry["sigma"], entry["T"]};
        const RdpEpsilon series = rdp_epsilon({&phase, 1}, entry["delta"], default_rdp_orders(),
                                              RdpFormula::kAbsoluteSeries);
        const RdpEpsilon exact = rdp_epsilon({&phase, 1}, entry["delta"]);
        const double expected = entry["eps_rdp"];
        EXPECT_NEAR(series.epsilon, expected, 1e-6 * expected) << entry.dump();
        EXPECT_NEAR(series.order, entry["rdp_order"].get<double>(), 1e-9) << entry.dump();
        EXPECT_LE(exact.epsilon, expected * (1 + 1e-9)) << entry.dump();
    }
    for (const auto& entry : file["heterogeneous"]) {
        if (!entry.contains("phases_q_sigma_T")) continue;
        std::vector<SampledGaussianPhase> phases;
        for (const auto& p : entry["phases_q_sigma_T"]) phases.push_back({p[0], p[1], p[2]});
        const double expected = entry["eps_rdp"];
        const RdpEpsilon got =
            rdp_epsilon(phases, entry["delta"], default_rdp_orders(), RdpFormula::kAbsoluteSeries);
        EXPECT_NEAR(got.epsilon, expected, 1e-6 * expected) << entry.dump();
    }
}

// Opacus' curve is exact; its list of orders is ours without 128..1024 and with 12..63.
TEST(Rdp, ExactEpsilonIsThatOfOpacusWhereTheOrderIsFractional) {
    const auto file = reference();
    if (file.is_null()) GTEST_SKIP() << "no reference values beside the checkout";
    std::vector<double> orders;
    for (double order : default_rdp_orders()) {
        if (order != 11 && order < 64) orders.push_back(order);
    }
    for (const auto& entry : file["dpsgd"]) {
        const SampledGaussianPhase phase{entry["q"], entry["sigma"], entry["T"]};
        const double expected = entry["eps_rdp_opacus"];
        EXPECT_NEAR(rdp_epsilon({&phase, 1}, entry["delta"], orders).epsilon, expected,
                    1e-6 * expected)
            << entry.dump();
    }
}

TEST(Rdp, NothingSpentCostsNothing) {
    const SampledGaussianPhase phase{0.5, 1, 0};
    EXPECT_EQ(rdp_epsilon({&phase, 1}, 1e-5).epsilon, 0);
}

std::string message_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kUsage);
        return error.message();
    }
    return "no error";
}

TEST(Rdp, BadInputIsNamed) {
    EXPECT_THAT(message_of([] { rdp_of_step(0, 1, 2); }),
                HasSubstr("sampling rate must be in (0, 1], got 0"));
    EXPECT_THAT(message_of([] { rdp_of_step(0.1, -1, 2); }),
                HasSubstr("noise multiplier must be finite and > 0, got -1"));
    EXPECT_THAT(message_of([] { rdp_of_step(0.1, NAN, 2); }), HasSubstr("got nan"));
    EXPECT_THAT(message_of([] { rdp_of_step(0.1, 1, 1); }), HasSubstr("order must be"));
    const SampledGaussianPhase phase{0.1, 1, -1};
    EXPECT_THAT(message_of([&] {
                    rdp_epsilon({&phase, 1}, 1e-5);
                }),
                HasSubstr("number of steps must be between 0 and 1e12, got -1"));
    const SampledGaussianPhase good{0.1, 1, 1};
    EXPECT_THAT(message_of([&] {
                    rdp_epsilon({&good, 1}, 1);
                }),
                HasSubstr("delta must be in (0, 1), got 1"));
}

}  // namespace
}  // namespace ward::dp
