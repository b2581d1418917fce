// Files that CMake builds into the library (cmake/WardEmbed.cmake).
#pragma once

#include <string_view>

namespace ward::audit {

std::string_view embedded_chart_js();  // empty when the package was missing at configure time
std::string_view embedded_report_css();
std::string_view embedded_report_js();

}  // namespace ward::audit
