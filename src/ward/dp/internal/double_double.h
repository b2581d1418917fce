// Numbers of about 106 bits as unevaluated sums of two doubles (Dekker 1971; Hida, Li, Bailey
// 2001). Relative error of each operation below 2^-102. Only what the sampler needs.
#pragma once

#include <cmath>

namespace ward::dp::internal {

struct DoubleDouble {
    double high = 0;
    double low = 0;
};

inline DoubleDouble two_sum(double a, double b) {
    const double sum = a + b;
    const double part = sum - a;
    return {sum, (a - (sum - part)) + (b - part)};
}

inline DoubleDouble two_product(double a, double b) {
    const double product = a * b;
    return {product, std::fma(a, b, -product)};
}

inline DoubleDouble operator+(DoubleDouble a, DoubleDouble b) {
    DoubleDouble high = two_sum(a.high, b.high);
    const DoubleDouble low = two_sum(a.low, b.low);
    high = two_sum(high.high, high.low + low.high);
    return two_sum(high.high, high.low + low.low);
}

inline DoubleDouble operator-(DoubleDouble a) { return {-a.high, -a.low}; }

inline DoubleDouble operator*(DoubleDouble a, DoubleDouble b) {
    const DoubleDouble product = two_product(a.high, b.high);
    return two_sum(product.high, product.low + (a.high * b.low + a.low * b.high));
}

inline DoubleDouble operator/(DoubleDouble a, DoubleDouble b) {
    const double first = a.high / b.high;
    DoubleDouble rest = a + -(b * DoubleDouble{first, 0});
    const double second = rest.high / b.high;
    rest = rest + -(b * DoubleDouble{second, 0});
    const double third = rest.high / b.high;
    return two_sum(first, second) + DoubleDouble{third, 0};
}

inline bool operator<(DoubleDouble a, DoubleDouble b) {
    return a.high < b.high || (a.high == b.high && a.low < b.low);
}

// exp(x) for -700 <= x <= 0: x = n ln 2 + 16 r, Taylor on r, four squarings.
inline DoubleDouble exp_double_double(DoubleDouble x) {
    constexpr DoubleDouble kLn2{0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
    const double n = std::nearbyint(x.high / kLn2.high);
    DoubleDouble r = x + -(kLn2 * DoubleDouble{n, 0});
    r = {r.high / 16, r.low / 16};
    DoubleDouble sum{1, 0};
    for (int i = 17; i >= 1; --i) {
        sum = DoubleDouble{1, 0} + r * sum / DoubleDouble{static_cast<double>(i), 0};
    }
    for (int i = 0; i < 4; ++i) sum = sum * sum;
    return {std::ldexp(sum.high, static_cast<int>(n)), std::ldexp(sum.low, static_cast<int>(n))};
}

}  // namespace ward::dp::internal
