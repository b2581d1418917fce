// `ward attack serve-target`: a model behind HTTP on this machine, to rehearse attacks on one.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "ward/attack/target_service.h"
#include "ward/cli/internal/attack.h"
#include "ward/cli/internal/model_file.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/nn/torch.h"

namespace ward::cli {
namespace {

struct Options {
    AttackTargetOptions target;
    std::string listen = "127.0.0.1:0", name = "model", answer = "scores", token_file, log;
    int64_t top_k = 3;
};

attack::Answer parse_answer(const std::string& text) {
    if (text == "scores") return attack::Answer::kScores;
    if (text == "top-k") return attack::Answer::kTopK;
    return attack::Answer::kLabels;
}

void split_address(const std::string& text, attack::ServiceOptions& service) {
    const size_t colon = text.rfind(':');
    int port = -1;
    if (colon != std::string::npos && colon > 0 && text.size() - colon <= 6 &&
        text.find_first_not_of("0123456789", colon + 1) == std::string::npos &&
        colon + 1 < text.size())
        port = std::stoi(text.substr(colon + 1));
    if (port < 0 || port > 65535)
        throw Error(ErrorCode::kUsage, "--listen must be HOST:PORT, got " + text,
                    "for example 127.0.0.1:8000, or port 0 for any free one");
    service.host = text.substr(0, colon);
    service.port = port;
}

void run(Options options) {
    options.target.count = 1;
    const AttackTarget loaded = load_attack_target(options.target);
    attack::ServiceOptions service;
    split_address(options.listen, service);
    service.model = options.name;
    service.input_shape = loaded.part.example_shape;
    service.answer = parse_answer(options.answer);
    service.top_k = options.top_k;
    if (!options.token_file.empty()) {
        service.token = read_text_file(options.token_file, 65536);
        while (!service.token.empty() && service.token.back() <= ' ') service.token.pop_back();
    }
    auto log = std::make_shared<std::ofstream>();
    if (!options.log.empty()) {
        log->open(options.log, std::ios::app);
        if (!*log) throw Error(ErrorCode::kIo, "cannot write " + options.log);
        service.on_query = [log](const std::string& digest) { *log << digest << std::endl; };
    }
    attack::TargetService server(
        [&loaded](const at::Tensor& x) { return loaded.target->logits(x); }, service);
    std::printf("%s\n", server.url().c_str());
    std::fflush(stdout);
    server.wait();
}

}  // namespace

void add_attack_serve_target_command(CLI::App& attack) {
    auto* command = attack.add_subcommand(
        "serve-target",
        "Put a model behind HTTP on this machine, to rehearse attacks on a remote one");
    auto options = std::make_shared<Options>();
    command
        ->add_option("--model", options->target.model,
                     "Model file (.safetensors, also encrypted), or a TorchScript file that you "
                     "trust: it is a program")
        ->required();
    add_identity_options(*command, options->target.identities);
    add_data_options(*command, options->target.data);
    command->add_option("--mean", options->target.mean, "TorchScript files: as for other attacks")
        ->delimiter(',');
    command->add_option("--std", options->target.std, "TorchScript files: likewise")
        ->delimiter(',');
    command->add_option("--listen", options->listen, "HOST:PORT; port 0: any free one")
        ->capture_default_str();
    command->add_option("--name", options->name, "Name of the model there")->capture_default_str();
    command->add_option("--answer", options->answer, "scores, top-k or labels")
        ->check(CLI::IsMember({"scores", "top-k", "labels"}))
        ->capture_default_str();
    command->add_option("--top-k", options->top_k, "Classes told with --answer top-k")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_option("--token-file", options->token_file, "Want this bearer token of clients");
    command->add_option("--log", options->log, "Append the digest of each query that is answered");
    add_runtime_options(*command, options->target.runtime);
    command->footer(
        "Prints its address and serves until it is stopped. Inputs are those of the attacker: "
        "pixels in 0..1 for images.\nThe data say what the inputs look like; none are sent.\n\n"
        "Examples:\n  ward attack serve-target --model m.safetensors --data digits --listen "
        "127.0.0.1:8000\n"
        "  ward attack serve-target --model m.safetensors --data digits --answer labels "
        "--token-file "
        "token");
    command->callback([options] { run(*options); });
}

}  // namespace ward::cli
