#include "ward/train/schedule.h"

#include <cmath>
#include <numbers>
#include <string>

#include "ward/core/error.h"

namespace ward::train {

ScheduleKind parse_schedule(std::string_view name) {
    if (name == "constant") return ScheduleKind::kConstant;
    if (name == "linear") return ScheduleKind::kLinear;
    if (name == "cosine") return ScheduleKind::kCosine;
    throw Error(ErrorCode::kUsage,
                "schedule must be constant, linear or cosine, got " + std::string(name));
}

std::string_view schedule_name(ScheduleKind kind) {
    switch (kind) {
        case ScheduleKind::kConstant:
            return "constant";
        case ScheduleKind::kLinear:
            return "linear";
        case ScheduleKind::kCosine:
            return "cosine";
    }
    return "unknown";
}

double Schedule::at(int64_t step, int64_t steps) const {
    const double warmup = warmup_fraction * static_cast<double>(steps);
    const double place = static_cast<double>(step);
    if (place < warmup) return learning_rate * (place + 1) / (warmup + 1);
    const double progress = (place - warmup) / std::max(1.0, static_cast<double>(steps) - warmup);
    switch (kind) {
        case ScheduleKind::kConstant:
            return learning_rate;
        case ScheduleKind::kLinear:
            return learning_rate * (1 - progress);
        case ScheduleKind::kCosine:
            return learning_rate * 0.5 * (1 + std::cos(std::numbers::pi * progress));
    }
    return learning_rate;
}

}  // namespace ward::train
