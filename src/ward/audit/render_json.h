// `report.json`: the report for programs. Format: docs/formats/report.md.
#pragma once

#include <string>

#include "ward/audit/report.h"

namespace ward::audit {

std::string render_json(const Report& report);

}  // namespace ward::audit
