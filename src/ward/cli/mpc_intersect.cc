// `ward mpc intersect`: two owners find whom they have in common, and nothing about the others.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "ward/cli/internal/mpc_ids.h"
#include "ward/cli/internal/mpc_share.h"
#include "ward/cli/internal/network_options.h"
#include "ward/cli/internal/output_paths.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/mpc/psi.h"
#include "ward/mpc/psi_fast.h"
#include "ward/net/connect.h"

namespace ward::cli {
namespace {

constexpr const char* kProtocol = "ward-intersect/1";

struct Options {
    data::LoadRequest request;
    std::string id_column, domain = "ward mpc intersect", out;
    NetworkOptions party;
    std::string peer, listen, connect;
    bool fast = false, size_only = false, json = false;
    int wait_seconds = 300;
};

void require_fit(const Options& options) {
    if (options.listen.empty() == options.connect.empty()) {
        throw Error(ErrorCode::kUsage, "one owner needs --listen, the other --connect");
    }
    if (options.fast && options.size_only) {
        throw Error(ErrorCode::kUsage, "--fast shows who is common; --size-only goes without it");
    }
    if (options.out.empty() != options.size_only) {
        throw Error(ErrorCode::kUsage,
                    options.size_only ? "--size-only writes no --out"
                                      : "--out is missing: where the common ones go",
                    "--size-only tells how many are common, and not who");
    }
    check_outputs({{"the table", options.request.data},
                   {"--pins", options.party.pins},
                   {"--schema", options.request.schema}},
                  {{"--out", options.out}});
}

std::unique_ptr<net::Channel> meet(const Options& options) {
    const crypto::NetworkIdentity identity = load_network_identity(options.party);
    const crypto::ExpectedPeer peer = pinned_peers(options.party, {options.peer});
    const net::ConnectOptions connect = {
        .connect_timeout = std::chrono::seconds(options.wait_seconds),
        .idle_timeout = std::chrono::seconds(options.wait_seconds),
        .protocol = kProtocol};
    if (options.listen.empty()) {
        return net::connect_channel(net::parse_endpoint(options.connect), identity, peer, connect);
    }
    net::Listener listener(net::parse_endpoint(options.listen));
    std::cerr << "waiting for " << options.peer << " on port " << listener.port() << std::endl;
    return net::accept_channel(listener, identity, peer, connect);
}

// Sorted, so that both owners have them in the same order.
void write_common(const Options& options, const std::vector<std::string>& ids,
                  const std::vector<size_t>& rows) {
    std::vector<std::string> common;
    for (size_t row : rows) common.push_back(ids[row]);
    std::sort(common.begin(), common.end());
    AtomicFile file(options.out, AtomicFile::Readers::kOwner);
    std::string text = csv_quoted(options.id_column) + "\n";
    for (const std::string& id : common) text += csv_quoted(id) + "\n";
    file.write(text);
    file.commit();
}

void run_intersect(const Options& options) {
    require_fit(options);
    const std::vector<std::string> ids = read_ids(options.request, options.id_column);
    const std::unique_ptr<net::Channel> channel = meet(options);
    const auto start = std::chrono::steady_clock::now();
    const mpc::PsiOptions psi = {
        .domain = options.domain + (options.fast ? "|fast" : "|diffie-hellman"),
        .output = options.size_only ? mpc::PsiOutput::kSize : mpc::PsiOutput::kRows};
    const auto role = options.listen.empty() ? mpc::PsiRole::kSecond : mpc::PsiRole::kFirst;
    const mpc::PsiResult found = options.fast ? mpc::intersect_fast(*channel, role, ids, psi)
                                              : mpc::intersect(*channel, ids, psi);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (!options.size_only) write_common(options, ids, found.rows);
    if (options.json) {
        std::cout << nlohmann::ordered_json{{"rows", ids.size()},
                                            {"peer_rows", found.peer_rows},
                                            {"common", found.size},
                                            {"seconds", seconds.count()}}
                         .dump()
                  << "\n";
        return;
    }
    std::cout << found.size << " of " << ids.size() << " are also at " << options.peer
              << ", which has " << found.peer_rows << "\n";
}

}  // namespace

void add_mpc_intersect(CLI::App& group) {
    auto* command = group.add_subcommand(
        "intersect", "Two owners find whom they have in common, and learn of nobody else");
    auto options = std::make_shared<Options>();
    command->add_option("table", options->request.data, "Table (CSV)")->required();
    command->add_option("--id", options->id_column, "Column that identifies a person")->required();
    command->add_option("--schema", options->request.schema, "Schema of the table");
    command->add_option("--domain", options->domain,
                        "Name for the hashing of identifiers, equal at both");
    add_network_options(*command, options->party);
    command->add_option("--peer", options->peer, "Name of the other owner in the file of pins")
        ->required();
    command->add_option("--listen", options->listen, "Wait for the other owner: HOST:PORT");
    command->add_option("--connect", options->connect, "Go to the other owner: HOST:PORT");
    command->add_flag("--fast", options->fast,
                      "By OT extension: ten times as fast, for owners that follow the protocol");
    command->add_flag("--size-only", options->size_only, "How many are common, and not who");
    command->add_option("--out", options->out,
                        "Write the common identifiers, in the same order at both owners");
    command->add_option("--wait-seconds", options->wait_seconds, "Longest wait for the other")
        ->check(CLI::Range(1, 86400))
        ->capture_default_str();
    command->add_flag("--json", options->json, "Print one JSON object");
    command->footer(
        "Then both share the rows of these people alone, and the job says align: rows:\n"
        "  ward mpc intersect loans.csv --id customer --party bank-a --pins p.txt --peer bank-b "
        "\\\n"
        "      --listen 0.0.0.0:7443 --out common.csv\n"
        "  ward mpc share loans.csv --as bank-a --id customer --rows common.csv --to age1... "
        "age1... age1...");
    command->callback([options] { run_intersect(*options); });
}

}  // namespace ward::cli
