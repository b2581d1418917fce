// Progress of long work, on standard error: a bar with rate and time left on a terminal, plain
// lines every few seconds elsewhere, JSON lines on request.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace ward {

enum class ProgressMode { kAuto, kBar, kPlain, kJson, kOff };

// For the whole process; kAuto at first (WARD_PROGRESS=bar|plain|json|off changes it).
void set_progress_mode(ProgressMode mode);
ProgressMode progress_mode();
ProgressMode parse_progress_mode(std::string_view name);  // Throws Error kUsage.

// One task; a total of 0 is an unknown one. Not thread-safe. Draws at most 10 times a second on a terminal.
class Progress {
  public:
    Progress(std::string task, int64_t total, std::string unit);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // `done` items of the total are ready; `note` is shown behind (e.g. "epsilon 1.23").
    void update(int64_t done, std::string_view note = {});
    void finish();

  private:
    using Clock = std::chrono::steady_clock;
    void draw(bool last);

    std::string task_;
    int64_t total_;
    std::string unit_;
    ProgressMode mode_;
    Clock::time_point start_;
    Clock::time_point last_draw_{};
    int64_t done_ = 0;
    std::string note_;
    bool finished_ = false;
};

}  // namespace ward
