// Ctrl-C and SIGTERM for commands that can end in good order.
#pragma once

#include <atomic>

namespace ward::cli {

// True from the first of these signals on, to be looked at between steps; a second one ends the
// process at once. To be called before other threads are made, which inherit that they leave the
// signals alone. Thread safety: any thread may read it.
const std::atomic<bool>* stop_on_signals();

}  // namespace ward::cli
