#include "ward/audit/internal/text.h"

#include <cmath>
#include <cstdio>

namespace ward::audit {
namespace {

std::string formatted(const char* format, int digits, double value) {
    char text[64];
    std::snprintf(text, sizeof(text), format, digits, value);
    return text;
}

// "1e-05" -> "1e-5"
std::string short_exponent(std::string text) {
    if (const size_t e = text.find('e'); e != std::string::npos) {
        size_t zero = e + 2;
        while (zero + 1 < text.size() && text[zero] == '0') text.erase(zero, 1);
        if (text[e + 1] == '+') text.erase(e + 1, 1);
    }
    return text;
}

// "1.00e-04" -> "1e-4"
std::string scientific(double value) {
    std::string text = formatted("%.*e", 2, value);
    size_t end = text.find('e');
    while (end > 0 && text[end - 1] == '0') text.erase(--end, 1);
    if (end > 0 && text[end - 1] == '.') text.erase(end - 1, 1);
    return short_exponent(text);
}

}  // namespace

std::string grouped(int64_t number) {
    std::string digits = std::to_string(number);
    for (auto i = static_cast<int64_t>(digits.size()) - 3; i > (number < 0 ? 1 : 0); i -= 3) {
        digits.insert(static_cast<size_t>(i), 1, ',');
    }
    return digits;
}

std::string percent(double fraction, int decimals) {
    return formatted("%.*f", decimals, 100 * fraction) + "\u00a0%";
}

std::string points(double fraction, int decimals) {
    const std::string text = formatted("%+.*f", decimals, 100 * fraction);
    if (text.find_first_of("123456789") == std::string::npos) return text.substr(1);
    return text[0] == '-' ? "\u2212" + text.substr(1) : text;
}

std::string significant(double number, int digits) {
    return short_exponent(formatted("%.*g", digits, number));
}

std::string fixed(double number, int decimals) { return formatted("%.*f", decimals, number); }

std::string small_probability(double value) {
    return value < 0.01 ? scientific(value) : significant(value, 3);
}

std::string range_percent(Interval interval) {
    return formatted("%.*f", 1, 100 * interval.low) + " to " + percent(interval.high);
}

std::string range_points(Interval interval) {
    return points(interval.low) + " to " + points(interval.high);
}

std::string memory_text(int64_t bytes) {
    const auto value = static_cast<double>(bytes);
    if (value >= 1e9) return formatted("%.*f", 2, value / 1e9) + " GB";
    return formatted("%.*f", 0, value / 1e6) + " MB";
}

std::string duration_text(double seconds) {
    if (seconds < 100) return significant(seconds, 3) + " s";
    const auto whole = static_cast<int64_t>(std::llround(std::fmin(seconds, 1e15)));
    char text[64];
    if (whole < 3600) {
        std::snprintf(text, sizeof(text), "%lld min %02lld s", static_cast<long long>(whole / 60),
                      static_cast<long long>(whole % 60));
    } else {
        std::snprintf(text, sizeof(text), "%lld h %02lld min", static_cast<long long>(whole / 3600),
                      static_cast<long long>(whole / 60 % 60));
    }
    return text;
}

}  // namespace ward::audit
