#include "ward/cli/internal/signals.h"

#include <csignal>
#include <thread>

namespace ward::cli {
namespace {

std::atomic<bool> asked{false};

// Waits for both signals in turn; all other threads have them blocked.
void wait_for_signals(sigset_t signals) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) return;
    asked = true;
    if (sigwait(&signals, &signal) != 0) return;
    std::signal(signal, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    std::raise(signal);
}

}  // namespace

// No handler: it would run on the stack of a thread that may be inside a kernel made at run time,
// and those of oneDNN keep values below the stack pointer, where a handler's frame destroys them.
const std::atomic<bool>* stop_on_signals() {
    static const bool started = [] {
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &signals, nullptr);
        std::thread(wait_for_signals, signals).detach();
        return true;
    }();
    static_cast<void>(started);
    return &asked;
}

}  // namespace ward::cli
