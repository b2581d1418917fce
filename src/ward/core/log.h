// Messages for people, on standard error: `ward: warning: ...`. Standard output is for results
// only.
#pragma once

#include <string_view>

namespace ward {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// Thread-safe. The default level is kInfo; WARD_LOG=debug|info|warning|error|off changes it.
void set_log_level(LogLevel level);
void log_debug(std::string_view message);
void log_info(std::string_view message);
void log_warning(std::string_view message);

}  // namespace ward
