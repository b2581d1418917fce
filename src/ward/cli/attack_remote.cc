#include <CLI/CLI.hpp>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "ward/cli/internal/attack_remote.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/log.h"

namespace ward::cli {
namespace {

constexpr size_t kMostTokenBytes = 65536;

SecretBytes without_line_end(ByteView text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
        text = text.first(text.size() - 1);
    return SecretBytes(text);
}

// From a file or the environment: arguments can be read by every process.
SecretBytes read_token(const std::string& path) {
    if (!path.empty()) {
        Bytes text = read_file(path, kMostTokenBytes);
        SecretBytes token = without_line_end(text);
        wipe(text.data(), text.size());
        if (token.empty()) throw Error(ErrorCode::kInvalid, path + " holds no token");
        return token;
    }
    const char* value = std::getenv("WARD_TARGET_TOKEN");
    if (value == nullptr) return {};
    return without_line_end(ByteView(reinterpret_cast<const uint8_t*>(value), std::strlen(value)));
}

}  // namespace

void add_remote_options(CLI::App& command, RemoteTargetOptions& options) {
    const char* group = "A model behind HTTP (Open Inference Protocol v2)";
    command.add_option("--url", options.url, "http(s)://host[:port][/prefix]")->group(group);
    command.add_option("--remote-model", options.model, "Its name there")->group(group);
    command.add_option("--remote-version", options.version, "Its version [the service's choice]")
        ->group(group);
    command.add_option("--remote-input", options.input, "Name of the input tensor [by metadata]")
        ->group(group);
    command
        .add_option("--remote-output", options.output, "Name of the output tensor [by metadata]")
        ->group(group);
    command
        .add_option(
            "--ledger", options.ledger,
            "File that keeps all answers: none is paid twice, and a run that was stopped or "
            "killed goes on")
        ->group(group);
    command
        .add_option("--token-file", options.token_file,
                    "File with a bearer token [$WARD_TARGET_TOKEN]")
        ->group(group);
    command.add_option("--client-cert", options.certificate, "mTLS: certificate (PEM)")
        ->group(group);
    command.add_option("--client-key", options.key, "mTLS: its key (PEM)")->group(group);
    command.add_option("--ca", options.authorities, "Authorities to trust (PEM) [the system's]")
        ->group(group);
    command.add_option("--rate", options.rate, "Queries per second at most; 0: no limit")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str()
        ->group(group);
    command.add_option("--request-size", options.batch, "Queries in one request")
        ->check(CLI::PositiveNumber)
        ->capture_default_str()
        ->group(group);
    command.add_option("--retries", options.retries, "Of a request that is refused or unanswered")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str()
        ->group(group);
    command.add_option("--timeout", options.timeout_seconds, "Seconds for a request")
        ->check(CLI::PositiveNumber)
        ->capture_default_str()
        ->group(group);
    command
        .add_option("--longest-wait", options.longest_wait_seconds,
                    "Seconds to wait between tries when the service asks for it")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str()
        ->group(group);
}

std::shared_ptr<attack::RemoteModel> open_remote(const RemoteTargetOptions& options,
                                                 int64_t classes) {
    attack::RemoteOptions remote;
    remote.url = options.url;
    remote.model = options.model;
    remote.version = options.version;
    remote.input = options.input;
    remote.output = options.output;
    remote.token = read_token(options.token_file);
    remote.client_certificate = options.certificate;
    remote.client_key = options.key;
    remote.authorities = options.authorities;
    remote.rate = options.rate;
    remote.batch = options.batch;
    remote.retries = options.retries;
    remote.timeout_seconds = options.timeout_seconds;
    remote.longest_wait_seconds = options.longest_wait_seconds;
    remote.classes = classes;
    remote.ledger = options.ledger;
    return std::make_shared<attack::RemoteModel>(std::move(remote));
}

void log_counts(const attack::RemoteModel& remote) {
    const attack::RemoteCounts& counts = remote.counts();
    log_info("queries: " + std::to_string(counts.sent) + " answered by the service, " +
             std::to_string(counts.from_ledger) + " by the ledger or this run before; " +
             std::to_string(counts.requests) + " requests, " + std::to_string(counts.retries) +
             " tried again");
    if (counts.unknown > 0) {
        log_warning(std::to_string(counts.unknown) +
                    " queries were sent again although the service may have served them before");
    }
}

}  // namespace ward::cli
