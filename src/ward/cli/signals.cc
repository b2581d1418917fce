#include "ward/cli/internal/signals.h"

#include <csignal>

namespace ward::cli {

const std::atomic<bool>* stop_on_signals() {
    static std::atomic<bool> asked{false};
    const auto handler = [](int signal) {
        asked = true;
        std::signal(signal, SIG_DFL);
    };
    std::signal(SIGINT, handler);
    std::signal(SIGTERM, handler);
    return &asked;
}

}  // namespace ward::cli
