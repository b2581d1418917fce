#include "ward/data/internal/date.h"

#include <cmath>

namespace ward::data::internal {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct Digits {
    int value = 0;
    size_t count = 0;
};

// Takes up to `most` digits off the front.
Digits take_digits(std::string_view* text, size_t most) {
    Digits digits;
    while (digits.count < most && !text->empty() && is_digit(text->front())) {
        digits.value = 10 * digits.value + (text->front() - '0');
        ++digits.count;
        text->remove_prefix(1);
    }
    return digits;
}

bool is_day_and_month(int a, int b) {
    const auto is_day = [](int n) { return n >= 1 && n <= 31; };
    const auto is_month = [](int n) { return n >= 1 && n <= 12; };
    return (is_day(a) && is_month(b)) || (is_month(a) && is_day(b));
}

// What may stand behind the day: nothing, or T or a blank and a time of day.
bool is_time_or_nothing(std::string_view text) {
    if (text.empty()) return true;
    if (text.front() != 'T' && text.front() != ' ') return false;
    text.remove_prefix(1);
    const Digits hour = take_digits(&text, 2);
    if (hour.count == 0 || hour.value > 24 || text.empty() || text.front() != ':') return false;
    return text.find_first_not_of("0123456789:.,+-Z APMapm") == std::string_view::npos;
}

}  // namespace

bool is_date(std::string_view text) {
    const Digits first = take_digits(&text, 4);
    if (first.count == 0 || text.empty()) return false;
    const char separator = text.front();
    if (separator != '-' && separator != '/' && separator != '.') return false;
    text.remove_prefix(1);
    const Digits second = take_digits(&text, 2);
    if (second.count == 0 || text.empty() || text.front() != separator) return false;
    text.remove_prefix(1);
    const Digits third = take_digits(&text, 4);
    if (!is_time_or_nothing(text)) return false;
    if (first.count == 4)
        return third.count >= 1 && third.count <= 2 && second.value >= 1 && second.value <= 12 &&
               third.value >= 1 && third.value <= 31;
    return first.count <= 2 && (third.count == 2 || third.count == 4) &&
           is_day_and_month(first.value, second.value);
}

bool is_compact_date(double value) {
    if (!(value >= 19000101) || !(value <= 21001231) || value != std::trunc(value)) return false;
    const auto number = static_cast<int64_t>(value);
    const int64_t month = number / 100 % 100, day = number % 100;
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

}  // namespace ward::data::internal
