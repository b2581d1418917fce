#include "ward/core/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <string>

namespace ward {
namespace {

spdlog::level::level_enum initial_level() {
    const char* wanted = std::getenv("WARD_LOG");
    return wanted == nullptr ? spdlog::level::info : spdlog::level::from_str(wanted);
}

spdlog::logger& logger() {
    static const auto instance = [] {
        auto made = std::make_shared<spdlog::logger>(
            "ward", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("%v");
        made->set_level(initial_level());
        return made;
    }();
    return *instance;
}

}  // namespace

void set_log_level(LogLevel level) {
    static constexpr spdlog::level::level_enum kLevels[] = {
        spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err,
        spdlog::level::off};
    logger().set_level(kLevels[static_cast<int>(level)]);
}

void log_debug(std::string_view message) { logger().debug("ward: debug: {}", message); }
void log_info(std::string_view message) { logger().info("ward: {}", message); }
void log_warning(std::string_view message) { logger().warn("ward: warning: {}", message); }

}  // namespace ward
