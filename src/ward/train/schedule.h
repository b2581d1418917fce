// Learning rates over the course of a run.
#pragma once

#include <cstdint>
#include <string_view>

namespace ward::train {

enum class ScheduleKind { kConstant, kLinear, kCosine };  // the last two fall to zero at the end

ScheduleKind parse_schedule(
    std::string_view name);  // "constant" | "linear" | "cosine"; throws Error kUsage
std::string_view schedule_name(ScheduleKind kind);

struct Schedule {
    ScheduleKind kind = ScheduleKind::kConstant;
    double learning_rate = 0.1;  // at the top
    double warmup_fraction = 0;  // of the steps, rising linearly from 0

    // For step 0 <= step < steps.
    double at(int64_t step, int64_t steps) const;
};

}  // namespace ward::train
