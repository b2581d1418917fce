// `report.html`: the report for people, in one file that needs no network.
//
// Threat: texts of the report are untrusted; all are escaped, and the page carries a content
// security policy that forbids every request.
#pragma once

#include <string>
#include <string_view>

#include "ward/audit/report.h"

namespace ward::audit {

std::string render_html(const Report& report);

// Whether charts are drawn, or Chart.js was missing when Ward was built.
bool charts_available();

// Text as it may stand in HTML content and quoted attributes. Bytes that are not UTF-8 become
// U+FFFD.
std::string escape_html(std::string_view text);

}  // namespace ward::audit
