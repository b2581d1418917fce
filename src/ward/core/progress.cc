#include "ward/core/progress.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "ward/core/error.h"

namespace ward {
namespace {

ProgressMode mode_from_environment() {
    const char* wanted = std::getenv("WARD_PROGRESS");
    return wanted == nullptr || *wanted == '\0' ? ProgressMode::kAuto : parse_progress_mode(wanted);
}

std::atomic<ProgressMode>& process_mode() {
    static std::atomic<ProgressMode> mode{mode_from_environment()};
    return mode;
}

std::string duration_text(double seconds) {
    const int64_t whole = std::llround(seconds);
    char text[32];
    if (whole >= 3600) {
        std::snprintf(text, sizeof(text), "%ldh%02ldm", static_cast<long>(whole / 3600),
                      static_cast<long>(whole / 60 % 60));
    } else {
        std::snprintf(text, sizeof(text), "%ldm%02lds", static_cast<long>(whole / 60),
                      static_cast<long>(whole % 60));
    }
    return text;
}

std::string json_escaped(std::string_view text) {
    std::string out;
    for (char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return out;
}

}  // namespace

void set_progress_mode(ProgressMode mode) { process_mode() = mode; }
ProgressMode progress_mode() { return process_mode(); }

ProgressMode parse_progress_mode(std::string_view name) {
    if (name == "auto") return ProgressMode::kAuto;
    if (name == "bar") return ProgressMode::kBar;
    if (name == "plain") return ProgressMode::kPlain;
    if (name == "json") return ProgressMode::kJson;
    if (name == "off") return ProgressMode::kOff;
    throw Error(ErrorCode::kUsage,
                "progress must be auto, bar, plain, json or off, got " + std::string(name));
}

Progress::Progress(std::string task, int64_t total, std::string unit)
    : task_(std::move(task)),
      total_(total),
      unit_(std::move(unit)),
      mode_(process_mode()),
      start_(Clock::now()) {
    if (mode_ == ProgressMode::kAuto)
        mode_ = isatty(STDERR_FILENO) ? ProgressMode::kBar : ProgressMode::kPlain;
    if (mode_ != ProgressMode::kBar)
        last_draw_ = start_;  // The first plain line after a few seconds.
}

Progress::~Progress() {
    // A bar that was left midway (an exception) must not swallow the error line behind it.
    if (!finished_ && mode_ == ProgressMode::kBar && done_ > 0) std::fputc('\n', stderr);
}

void Progress::update(int64_t done, std::string_view note) {
    done_ = done;
    note_ = note;
    const double interval_seconds = mode_ == ProgressMode::kBar    ? 0.1
                                    : mode_ == ProgressMode::kJson ? 1.0
                                                                   : 10.0;
    if (Clock::now() - last_draw_ >= std::chrono::duration<double>(interval_seconds)) draw(false);
}

void Progress::finish() {
    if (finished_) return;
    if (total_ > 0) done_ = total_;
    draw(true);
    finished_ = true;
}

void Progress::draw(bool last) {
    last_draw_ = Clock::now();
    const double seconds = std::chrono::duration<double>(last_draw_ - start_).count();
    const double rate = seconds > 0 ? static_cast<double>(done_) / seconds : 0;
    const double left = rate > 0 ? static_cast<double>(total_ - done_) / rate : 0;
    const bool known = total_ > 0;
    const double part = known ? static_cast<double>(done_) / static_cast<double>(total_) : last;
    const std::string count =
        std::to_string(done_) + (known ? "/" + std::to_string(total_) : std::string());
    const std::string time = last    ? "took " + duration_text(seconds)
                             : known ? duration_text(left) + " left"
                                     : duration_text(seconds);
    const std::string note = note_.empty() ? "" : "  " + note_;
    switch (mode_) {
        case ProgressMode::kBar: {
            const int filled = static_cast<int>(24 * std::clamp(part, 0.0, 1.0));
            const std::string bar = std::string(filled, '#') + std::string(24 - filled, '.');
            std::fprintf(stderr, "\r\033[K%s [%s] %s %s  %.4g %s/s  %s%s%s", task_.c_str(),
                         bar.c_str(), count.c_str(), unit_.c_str(), rate, unit_.c_str(),
                         time.c_str(), note.c_str(), last ? "\n" : "");
            break;
        }
        case ProgressMode::kJson:
            std::fprintf(
                stderr,
                "{\"task\":\"%s\",\"done\":%ld,\"total\":%ld,\"unit\":\"%s\",\"seconds\":%.3f,"
                "\"seconds_left\":%.3f,\"note\":\"%s\"}\n",
                json_escaped(task_).c_str(), static_cast<long>(done_), static_cast<long>(total_),
                json_escaped(unit_).c_str(), seconds, left, json_escaped(note_).c_str());
            break;
        case ProgressMode::kPlain:
            std::fprintf(stderr, "%s: %s %s  %.4g %s/s  %s%s\n", task_.c_str(), count.c_str(),
                         unit_.c_str(), rate, unit_.c_str(), time.c_str(), note.c_str());
            break;
        default:
            break;
    }
    std::fflush(stderr);
}

}  // namespace ward
