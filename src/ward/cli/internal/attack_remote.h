// The options of commands that attack a model behind HTTP.
#pragma once

#include <memory>
#include <string>

#include "ward/attack/remote_model.h"
#include "ward/cli/internal/recipient_options.h"

namespace CLI {
class App;
}

namespace ward::cli {

struct RemoteTargetOptions {
    std::string url, model, version, input, output;
    std::string token_file;  // else $WARD_TARGET_TOKEN
    std::string certificate, key, authorities, ledger;
    double rate = 0, timeout_seconds = 30, longest_wait_seconds = 120;
    int64_t batch = 64, retries = 5, classes = 0;

    bool given() const { return !url.empty(); }
};

// --url, --remote-model, --token-file, ...; `options` must outlive the parsing.
void add_remote_options(CLI::App& command, RemoteTargetOptions& options);

// Reads the token. Throws what RemoteModel throws.
std::shared_ptr<attack::RemoteModel> open_remote(const RemoteTargetOptions& options,
                                                 int64_t classes);

// What was sent and what it cost, on standard error.
void log_counts(const attack::RemoteModel& remote);

}  // namespace ward::cli
