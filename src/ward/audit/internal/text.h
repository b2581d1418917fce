// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

#include "ward/audit/metrics.h"

namespace ward::audit {

std::string grouped(int64_t number);                     // 11173962 -> "11,173,962"
std::string percent(double fraction, int decimals = 1);  // 0.981 -> "98.1 %"
std::string points(double fraction, int decimals = 1);   // -0.0123 -> "-1.2", signed
std::string significant(double number, int digits = 4);  // 1e-05 -> "1e-5", 2.9299 -> "2.93"
std::string fixed(double number, int decimals);          // 0.5 -> "0.500"
std::string range_percent(Interval interval);            // "97.8 to 98.4 %"
std::string range_points(Interval interval);             // "-1.4 to -0.6"
std::string memory_text(int64_t bytes);                  // "312 MB"
std::string duration_text(double seconds);               // "2 min 05 s"
std::string small_probability(double value);             // 0.0001 -> "1e-4"

}  // namespace ward::audit
