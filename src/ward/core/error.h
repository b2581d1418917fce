// The one exception type of Ward.
//
// Messages are lower case and say what, got, expected: `epsilon must be finite and > 0, got -1`.
// The hint says what to do next. Thread safety: a value type.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace ward {

enum class ErrorCode {
    kUsage,        // a flag or argument is wrong: exit code 2
    kInvalid,      // a value, file or spec does not hold what it must: exit code 1
    kNotFound,     // a file, column or name does not exist: exit code 1
    kIo,           // the system refused to read or write: exit code 1
    kCorrupt,      // bytes that cannot be what they claim to be: exit code 1
    kUnsupported,  // well formed, but not something Ward can do: exit code 1
    kRefused,      // against a privacy plan, policy or budget: exit code 3
    kInterrupted,  // stopped on request (Ctrl-C): exit code 130
    kInternal,     // a defect of Ward: exit code 1
};

class Error : public std::runtime_error {
  public:
    Error(ErrorCode code, std::string message, std::string hint = {})
        : std::runtime_error(std::move(message)), code_(code), hint_(std::move(hint)) {}

    ErrorCode code() const { return code_; }
    std::string message() const { return what(); }
    const std::string& hint() const { return hint_; }

    // 1 failure, 2 usage, 3 refused by policy or budget, 130 interrupted.
    int exit_code() const {
        if (code_ == ErrorCode::kUsage) return 2;
        if (code_ == ErrorCode::kInterrupted) return 130;
        return code_ == ErrorCode::kRefused ? 3 : 1;
    }

  private:
    ErrorCode code_;
    std::string hint_;
};

}  // namespace ward
