// `ward he serve` and `ward he query`: encrypted inference over the network.
#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "ward/cli/internal/he.h"
#include "ward/cli/internal/network_options.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/progress.h"
#include "ward/crypto/key_file.h"
#include "ward/he/infer/files.h"
#include "ward/he/infer/precision.h"
#include "ward/he/infer/service.h"
#include "ward/he/wire.h"
#include "ward/net/connect.h"

namespace ward::cli {
namespace {

struct ServeOptions {
    HeModelOptions model;
    NetworkOptions party;
    std::string listen = "127.0.0.1:7443";
    int circuit_privacy_bits = 0;
    int64_t clients = 0;  // 0: without end
    int at_once = 8;
    int idle_seconds = 300;
};

net::ConnectOptions connect_options(int idle_seconds) {
    return {.connect_timeout = std::chrono::seconds(10),
            .idle_timeout = std::chrono::seconds(idle_seconds),
            .protocol = he::kServiceProtocol};
}

// Serves clients in some threads, one client in each; a client's faults end its own connection
// alone.
class Server {
  public:
    explicit Server(const ServeOptions& options)
        : options_(options),
          identity_(load_network_identity(options.party)),
          allowed_(pinned_peers(options.party, {})),
          listener_(net::parse_endpoint(options.listen)) {}

    uint16_t port() const { return listener_.port(); }

    void run(he::InferenceService& service) {
        std::vector<std::jthread> threads;
        for (int i = 0; i < options_.at_once; ++i) threads.emplace_back([&] { serve(service); });
    }

  private:
    void serve(he::InferenceService& service) {
        while (const auto socket = next_socket()) serve_client(service, *socket);
    }

    // Nothing when enough clients have come.
    std::optional<int> next_socket() {
        const std::lock_guard lock(accepting_);
        while (options_.clients == 0 || accepted_ < options_.clients) {
            try {
                return listener_.accept(std::chrono::milliseconds(200));
            } catch (const Error& error) {
                if (error.code() != ErrorCode::kIo) throw;  // kIo: nobody came
            }
        }
        return std::nullopt;
    }

    void serve_client(he::InferenceService& service, int socket) {
        std::unique_ptr<net::Channel> channel;
        try {
            channel = net::accept_channel(socket, identity_, allowed_,
                                          connect_options(options_.idle_seconds));
        } catch (const std::exception& error) {  // whatever a stranger sends ends no server
            return say("refused: " + std::string(error.what()));
        }
        ++accepted_;
        try {
            Random random = Random::from_system();
            service.serve(*channel, random, [&](const he::InferenceService::Answer& a) {
                say(channel->peer() + ": " + std::to_string(a.examples) + " examples in " +
                    std::to_string(a.seconds) + " s");
            });
        } catch (const std::exception& error) {
            say(channel->peer() + ": " + error.what());
        }
    }

    void say(const std::string& line) {
        const std::lock_guard lock(saying_);
        std::cerr << line << std::endl;
    }

    const ServeOptions& options_;
    crypto::NetworkIdentity identity_;
    crypto::ExpectedPeer allowed_;
    net::Listener listener_;
    std::mutex accepting_, saying_;
    std::atomic<int64_t> accepted_{0};
};

void run_serve(const ServeOptions& options) {
    Server server(options);
    const HeModel model = prepare(options.model);
    const auto context = he::Context::create(model.plan.parameters);
    he::ServiceOptions service_options;
    if (options.circuit_privacy_bits > 0) {
        service_options.circuit_privacy = he::FloodingOptions{.bits = options.circuit_privacy_bits};
        service_options.output_spread =
            he::output_spread(model.network, sample_examples(model, options.model));
    }
    he::InferenceService service(sent_plan(model), he::Program(model.network, model.plan, context),
                                 context, service_options);
    std::cout << "listening on port " << server.port() << ", plan " << he::digest(sent_plan(model))
              << std::endl;
    server.run(service);
}

struct QueryOptions {
    NetworkOptions party;
    std::string address, server, key, plan;
    DataOptions data;
    std::string split = "test";
    int64_t first = 0, count = 1;
    int wait_seconds = 600;
    bool json = false;
};

// The secret key of the file, which is made when it is missing: the server keeps what belongs to
// it.
he::SecretKey secret_for(const he::ClientPlan& plan, const std::string& path, Random& random) {
    const auto context = he::Context::create(plan.parameters);
    if (!path.empty() && std::filesystem::exists(path)) {
        const MappedFile file(path);
        return he::secret_key_from_bytes(context, file.bytes());
    }
    he::SecretKey secret = he::SecretKey::generate(context, random);
    if (!path.empty()) {
        crypto::write_secret_file(path, he::to_secret_bytes(secret).reveal());
    }
    return secret;
}

void check_plan(const he::ClientPlan& offered, const std::string& path) {
    if (path.empty()) return;
    const he::ClientPlan expected = he::client_plan_from_bytes(read_file(path));
    if (offered == expected) return;
    throw Error(ErrorCode::kRefused, "the server offers another plan than " + path,
                "ask its owner for the plan of the present model (ward he plan --out)");
}

void run_query(const QueryOptions& options) {
    check_outputs({{"--data", options.data.data}, {"--plan", options.plan}},
                  {{"--key", options.key}});
    const crypto::NetworkIdentity identity = load_network_identity(options.party);
    const auto channel = net::connect_channel(net::parse_endpoint(options.address), identity,
                                              pinned_peers(options.party, {options.server}),
                                              connect_options(options.wait_seconds));
    const he::ClientPlan plan = he::receive_plan(*channel);
    check_plan(plan, options.plan);
    const data::Dataset set =
        load_for(plan.inputs, plan.preprocessing_json, options.data, options.split);
    check_range(set, options.first, options.count);
    Random random = Random::from_system();
    const he::InferenceClient client(plan, secret_for(plan, options.key, random));
    he::RemoteProgram remote(*channel, client, random);
    Progress progress("encrypted inference", options.count, "examples");
    for (int64_t done = 0; done < options.count; done += plan.examples) {
        const int64_t now = std::min(plan.examples, options.count - done);
        const auto outputs = remote.run(examples_of(set, options.first + done, now), random);
        print_outputs(plan.class_names, plan.outputs, outputs, options.json);
        progress.update(done + now);
    }
    progress.finish();
    remote.close();
}

}  // namespace

void add_he_serve_command(CLI::App& group) {
    auto* command =
        group.add_subcommand("serve", "Answer encrypted requests over TLS, for the model's owner");
    auto options = std::make_shared<ServeOptions>();
    add_he_model_options(*command, options->model, false);
    add_network_options(*command, options->party);
    command->add_option("--listen", options->listen, "HOST:PORT; port 0 takes a free one")
        ->capture_default_str();
    add_circuit_privacy_option(*command, options->circuit_privacy_bits);
    command->add_option("--clients", options->clients, "Stop after so many connections [never]")
        ->check(CLI::NonNegativeNumber);
    command->add_option("--at-once", options->at_once, "Connections that are open at a time")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    command
        ->add_option("--idle-seconds", options->idle_seconds,
                     "End a connection on which nothing comes for so long")
        ->check(CLI::Range(1, 86400))
        ->capture_default_str();
    command->footer(
        "One evaluation at a time, with all cores. Clients see the plan (ward he plan) and their "
        "results; the server\n"
        "sees ciphertexts. Evaluation keys of each client stay in memory, so that they are sent\n"
        "once. Examples:\n  ward he serve m.safetensors --party hospital --pins clients.txt\n"
        "  ward he serve m.safetensors --party hospital --pins clients.txt --listen "
        "0.0.0.0:7443 --scale-bits 48 --circuit-privacy 8");
    command->callback([options] { run_serve(*options); });
}

void add_he_query_command(CLI::App& group) {
    auto* command = group.add_subcommand(
        "query", "Have a server predict on examples that it cannot see, for the data's owner");
    auto options = std::make_shared<QueryOptions>();
    command->add_option("ADDRESS", options->address, "HOST:PORT of `ward he serve`")->required();
    command->add_option("--server", options->server, "Name of the server in the file of pins")
        ->required();
    add_network_options(*command, options->party);
    add_data_options(*command, options->data);
    add_split_options(*command, options->data);
    command->add_option("--split", options->split, "Part of the data: test, train or all")
        ->capture_default_str();
    command->add_option("--first", options->first, "First example")->capture_default_str();
    command->add_option("--count", options->count, "Examples")->capture_default_str();
    command->add_option("--key", options->key,
                        "File of the secret key, made if missing; without it a key for this query");
    command->add_option("--plan", options->plan, "Refuse a server with another plan than this one");
    command->add_option("--wait-seconds", options->wait_seconds, "Longest wait for an answer")
        ->check(CLI::Range(1, 86400))
        ->capture_default_str();
    command->add_flag("--json", options->json, "One JSON object per example, with all outputs");
    command->footer(
        "Prints the class of the largest output, or the output where there is one. Keep the key:\n"
        "with it the server need not be sent evaluation keys (megabytes to gigabytes) again.\n"
        "Examples:\n  ward he query 10.0.0.2:7443 --server hospital --party bank --pins p.txt "
        "--data rows.csv --key he.key\n"
        "  ward he query localhost:7443 --server hospital --party bank --pins p.txt --data "
        "mnist/ --count 10 --json");
    command->callback([options] { run_query(*options); });
}

}  // namespace ward::cli
