// Decimal text -> double, correctly rounded.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>

namespace ward::data::internal {

enum class NumberResult { kOk, kNotANumber, kNotFinite };

// The general case; rejects what is not wholly a number, and reports nan, inf and overflow.
inline NumberResult parse_number_slowly(const char* first, const char* last, double* value) {
    if (first != last && *first == '+') {
        ++first;
        if (first != last && (*first == '-' || *first == '+')) return NumberResult::kNotANumber;
    }
    const auto [end, code] = std::from_chars(first, last, *value);
    if (end != last || code == std::errc::invalid_argument) return NumberResult::kNotANumber;
    if (code == std::errc::result_out_of_range || !std::isfinite(*value))
        return NumberResult::kNotFinite;
    return NumberResult::kOk;
}

// Most fields are short: up to 2^53 and 22 decimals, mantissa and power of ten are exact doubles,
// so that one division rounds once (Clinger 1990, "How to read floating point numbers accurately",
// fast path).
inline NumberResult parse_number(const char* first, const char* last, double* value) {
    static constexpr double kPower[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                        1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                        1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char* at = first;
    const bool negative = at != last && *at == '-';
    at += negative ? 1 : 0;
    const char* digits = at;
    uint64_t mantissa = 0;
    unsigned digit;
    while (at != last && (digit = static_cast<unsigned>(*at - '0')) <= 9) {
        mantissa = mantissa * 10 + digit;
        ++at;
    }
    auto length = at - digits;
    std::ptrdiff_t decimals = 0;
    if (at != last && *at == '.') {
        const char* point = ++at;
        while (at != last && (digit = static_cast<unsigned>(*at - '0')) <= 9) {
            mantissa = mantissa * 10 + digit;
            ++at;
        }
        decimals = at - point;
        length += decimals;
    }
    if (at != last || length == 0 || length > 18 || mantissa > (uint64_t{1} << 53))
        return parse_number_slowly(first, last, value);
    const double magnitude = static_cast<double>(mantissa) / kPower[decimals];
    *value = negative ? -magnitude : magnitude;
    return NumberResult::kOk;
}

}  // namespace ward::data::internal
