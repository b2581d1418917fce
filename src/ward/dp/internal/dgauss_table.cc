#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "ward/core/cpu.h"
#include "ward/dp/internal/dgauss_kernels.h"
#include "ward/dp/internal/double_double.h"

namespace ward::dp::internal {
namespace {

constexpr uint32_t kTotalWeight = 1u << 26;
constexpr uint32_t kCellWeight = kTotalWeight / kDgaussCells;

double bin_height(const DgaussTable& table, int bin) {
    const double z = std::ldexp(bin, table.log2_width) / table.sigma;
    return std::exp(-z * z / 2);
}

// Weights with W_j >= C h_j. The factor 1 + 2^-40 covers the error of std::exp and of the product.
void choose_weights(DgaussTable& table) {
    double sum = 0;
    for (int j = 0; j < kDgaussCells; ++j) sum += bin_height(table, j);
    table.scale = (kTotalWeight - 2.0 * kDgaussCells) / sum * (1 - 0x1p-30);
    uint32_t used = 0;
    for (int j = 0; j < kDgaussCells; ++j) {
        const double least = table.scale * bin_height(table, j) * (1 + 0x1p-40);
        table.weight[j] = std::max(1u, static_cast<uint32_t>(std::ceil(least)));
        used += table.weight[j];
    }
    table.weight[0] += kTotalWeight - used;  // what rounding left over; costs 3e-5 of the speed
    for (int j = 0; j < kDgaussCells; ++j) {
        table.height[j] = static_cast<float>(table.scale * bin_height(table, j) / table.weight[j]);
    }
}

// Vose 1991 in whole numbers: cell i keeps bin i for `threshold` of its 2^16 parts.
void build_alias(DgaussTable& table) {
    std::vector<uint32_t> rest(table.weight, table.weight + kDgaussCells);
    std::vector<uint32_t> poor, rich;
    for (uint32_t i = 0; i < kDgaussCells; ++i) (rest[i] < kCellWeight ? poor : rich).push_back(i);
    for (uint32_t i = 0; i < kDgaussCells; ++i) table.alias[i] = i;
    while (!poor.empty()) {
        const uint32_t small = poor.back();
        const uint32_t large = rich.back();
        poor.pop_back();
        table.alias[small] = (rest[small] << 16) | large;
        rest[large] -= kCellWeight - rest[small];
        if (rest[large] < kCellWeight) {
            rich.pop_back();
            poor.push_back(large);
        }
    }
}

// Bounds on |computed rho - rho|: 2^-19 covers every float rounding (each of some twelve operations
// errs by at most 2^-24 relative on values below 2), plus the remainder of the Taylor polynomial.
float decision_slack(const DgaussTable& table) {
    double worst = 0;
    if (table.log2_width > 0) {
        for (int j = 0; j < kDgaussCells; ++j) {
            const double t = (2.0 * j + 1) * static_cast<double>(table.curvature);
            worst = std::max(worst, static_cast<double>(table.height[j]) * std::pow(t, 6) / 720);
        }
    }
    return static_cast<float>((0x1p-19 + worst) * (1 + 0x1p-10));
}

// log of the sum over all integers of exp(-x^2 / (2 sigma^2)); by Poisson summation it is
// sigma sqrt(2 pi) up to 2 exp(-2 pi^2 sigma^2) relative, nothing for sigma >= 2.
double log_normaliser(double sigma) {
    if (sigma >= 2) return std::log(sigma) + std::log(2 * std::numbers::pi) / 2;
    double sum = 1;
    for (int x = 1; x <= 80; ++x) sum += 2 * std::exp(-0.5 * x * x / (sigma * sigma));
    return std::log(sum);
}

}  // namespace

DgaussTable make_dgauss_table(double sigma) {
    DgaussTable table;
    table.sigma = sigma;
    table.log2_width = std::max(0, std::ilogb(sigma) - 4);  // 16 <= sigma / w < 32 where w > 1
    const double width = std::ldexp(1.0, table.log2_width);
    table.u_shift = std::max(table.log2_width, 8);
    table.low_unit = static_cast<float>(1 / width);
    table.curvature = static_cast<float>(width / sigma * (width / sigma) / 2);
    table.u_unit = static_cast<float>(std::ldexp(1.0, table.u_shift - 32));
    choose_weights(table);
    build_alias(table);
    table.sure_reject = decision_slack(table);
    table.sure_accept = -(table.sure_reject + table.u_unit) * (1 + 0x1p-20f);
    table.log_normaliser = log_normaliser(sigma);
    // Mass beyond the table, at least 32 sigma, and beyond where dgauss_accept_exactly gives up.
    const double reach = std::min(kDgaussCells * width / sigma, 37.0);
    table.tail = 4 * std::exp(-reach * reach / 2);
    return table;
}

namespace {

// Uniform in (0, 1) with about 2^-100 relative resolution however small it is.
DoubleDouble fine_uniform(Random& random) {
    double scale = 0x1p-64;
    uint64_t first = random.next_u64();
    for (int i = 0; first == 0 && i < 8; ++i, scale *= 0x1p-64) first = random.next_u64();
    const auto words = [&](uint64_t word) {
        const double high = static_cast<double>(word >> 32) * 0x1p32;
        return two_sum(high, static_cast<double>(word & 0xffffffff));
    };
    const DoubleDouble top = words(first), rest = words(random.next_u64());
    const DoubleDouble sum = top + DoubleDouble{rest.high * 0x1p-64, rest.low * 0x1p-64};
    return {sum.high * scale, sum.low * scale};
}

}  // namespace

bool dgauss_accept_exactly(const DgaussTable& table, uint32_t bin, uint64_t magnitude, uint32_t u,
                           Random& random) {
    const double m = static_cast<double>(magnitude);
    const DoubleDouble variance = two_product(table.sigma, table.sigma);
    const DoubleDouble square = two_product(m, m);
    const DoubleDouble exponent = -(square / DoubleDouble{2 * variance.high, 2 * variance.low});
    // The uniform is (u + v) 2^-u_bits with v in [0, 1): compare v with rho 2^u_bits - u.
    const DoubleDouble v = fine_uniform(random);
    if (exponent.high < -690) return false;  // beyond 37 sigma: counted as tail
    const DoubleDouble rho = DoubleDouble{std::ldexp(table.scale, 32 - table.u_shift), 0} *
                             exp_double_double(exponent) /
                             DoubleDouble{static_cast<double>(table.weight[bin]), 0};
    return v < rho + DoubleDouble{-static_cast<double>(u), 0};
}

DgaussKernel dgauss_kernel() {
    switch (isa()) {
        case Isa::kAvx512:
            return dgauss_avx512;
        case Isa::kAvx2:
            return dgauss_avx2;
        case Isa::kScalar:
            break;
    }
    return dgauss_scalar;
}

}  // namespace ward::dp::internal
