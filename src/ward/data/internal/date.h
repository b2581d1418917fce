// Whether a text is a date, as people and programs write them.
#pragma once

#include <cstdint>
#include <string_view>

namespace ward::data::internal {

// ISO 8601 (2024-05-31, also with a time behind it) and year first with / or .; day or month first
// (31/5/2024, 5-31-24, 31.5.2024). Days are checked up to 31, whatever the month.
bool is_date(std::string_view text);

// 20240531, for years 1900 to 2100.
bool is_compact_date(double value);

}  // namespace ward::data::internal
