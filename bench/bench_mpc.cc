// Three processes on loopback over TLS 1.3: bytes, rounds, CPU seconds and wall time of the
// protocols of module mpc.
//   bench_mpc [--json] [--case NAME] [--repeat N] [--fast-truncation | --malicious]
//   bench_mpc --case join_1m --repeat 1            1 M rows against 1 M
//   bench_mpc --psi 100000                         Diffie-Hellman intersection of two owners
//   bench_mpc --psi-fast 1000000                   the one by OT extension
//   bench_mpc --rtt-ms 40 --case mlp_train_step     threads and simulated links instead
//   bench_mpc --mnist DIR [--epochs N] [--choose]   trains 784-128-128-10, and its twin
//   bench_mpc --mnist DIR --network lenet           the same of LeNet
//
// Bytes are frames before encryption, the mean of the three parties; CPU seconds are of the whole
// process of a party (protocol, encryption, system calls), the mean over parties of the median run.
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "ward/core/cpu.h"
#include "ward/core/error.h"
#include "ward/data/load.h"
#include "ward/mpc/bits.h"
#include "ward/mpc/connect.h"
#include "ward/mpc/join.h"
#include "ward/mpc/learn/job.h"
#include "ward/mpc/learn/network.h"
#include "ward/mpc/local.h"
#include "ward/mpc/multiply.h"
#include "ward/mpc/psi.h"
#include "ward/mpc/psi_fast.h"
#include "ward/mpc/share.h"

namespace {

using namespace ward;
using namespace ward::mpc;
using Json = nlohmann::ordered_json;

// What one run does; set up once, outside the measurement.
using Run = std::function<void()>;
using Case = std::function<Run(Party&)>;

SharedMatrix random_shared(Party& party, size_t rows, size_t cols) {
    SharedMatrix out(rows, cols);
    party.draw(party.index(), std::span<Ring>(out.first));
    party.draw((party.index() + 1) % 3, std::span<Ring>(out.second));
    return out;
}

// Fixed-point values in [-1, 1), known to nobody who does not open them.
SharedMatrix random_fixed(Party& party, size_t rows, size_t cols) {
    RingMatrix values(rows, cols);
    party.random().fill(std::span<Ring>(values.values));
    for (Ring& value : values.values) value = value % (2 << kFractionBits) - (1 << kFractionBits);
    return share(party, 0, party.index() == 0 ? &values : nullptr, rows, cols);
}

template <typename Function>
Case with_one(size_t rows, size_t cols, Function function) {
    return [=](Party& party) -> Run {
        auto x = std::make_shared<SharedMatrix>(random_fixed(party, rows, cols));
        return [=, &party] { function(party, *x); };
    };
}

constexpr size_t kBatch = 128;

// A step of training (or the scores) for a network of this shape on one batch.
Case network_case(const NetworkShape& shape, bool train, TrainOptions options = {}) {
    return [=](Party& party) mutable -> Run {
        NetworkWeights initial = zero_weights(shape);
        for (RingMatrix& w : initial.weights) {
            for (size_t i = 0; i < w.size(); ++i) w.values[i] = i * 2654435761u % 8192 - 4096;
        }
        options.batch_size = kBatch;
        auto network = std::make_shared<Network>(party, shape, initial, options);
        auto x = std::make_shared<SharedMatrix>(random_fixed(party, kBatch, shape.inputs()));
        auto y = std::make_shared<SharedMatrix>(random_fixed(party, kBatch, shape.outputs()));
        if (train) return [=] { network->train_step(*x, *y); };
        return [=] { (void)network->scores(*x); };
    };
}

// LeNet as of Caffe and of Keller and Sun (ICML 2022): 431,080 weights; pools of means or maxima.
NetworkShape lenet(NetworkLayer::Kind pool) {
    using Kind = NetworkLayer::Kind;
    const NetworkLayer relu = {.kind = Kind::kRelu};
    const NetworkLayer pooling = {.kind = pool, .outputs = 0, .kernel = 2, .stride = 2};
    return {.widths = {},
            .image = {28, 28, 1},
            .layers = {{.kind = Kind::kConvolution, .outputs = 20, .kernel = 5},
                       pooling,
                       relu,
                       {.kind = Kind::kConvolution, .outputs = 50, .kernel = 5},
                       pooling,
                       relu,
                       {.kind = Kind::kDense, .outputs = 500},
                       relu,
                       {.kind = Kind::kDense, .outputs = 10}}};
}

constexpr size_t kJoinPayload = 4;

// Two owners with a quarter of their people in common: hashing, sharing, join, kept rows. Tables
// are in the order of their hashes or in another one.
Run join_case(Party& party, size_t rows, bool by_hash) {
    auto ids = std::make_shared<std::vector<std::string>>();
    const size_t first = party.index() == 1 ? rows * 3 / 4 : 0;
    for (size_t i = 0; i < rows && party.index() < 2; ++i) {
        ids->push_back("customer-" + std::to_string(first + i));
    }
    return [=, &party] {
        RingMatrix table(rows, kKeyColumns + kJoinPayload);
        if (party.index() < 2) {
            const RingMatrix keys = hash_identifiers(*ids, "bench", "bench");
            std::vector<size_t> order(rows);
            std::iota(order.begin(), order.end(), size_t{0});
            if (by_hash) order = rows_by_hash(keys);
            for (size_t i = 0; i < table.size(); ++i) {
                const size_t r = order[i / table.cols], c = i % table.cols;
                table.values[i] = c < kKeyColumns ? keys.values[r * kKeyColumns + c] : r + c;
            }
        }
        std::vector<SharedMatrix> tables;
        for (int owner : {0, 1}) {
            tables.push_back(
                share(party, owner, party.index() == owner ? &table : nullptr, rows, table.cols));
        }
        const SharedMatrix kept = open_count_and_keep(party, inner_join(party, tables));
        if (kept.rows != rows - rows * 3 / 4) {
            throw Error(ErrorCode::kInternal, "wrong number of matches");
        }
    };
}

std::map<std::string, Case> cases() {
    std::map<std::string, Case> all;
    all["mul_1m"] = [](Party& party) -> Run {
        auto x = std::make_shared<SharedMatrix>(random_shared(party, 1000, 1000));
        auto y = std::make_shared<SharedMatrix>(random_shared(party, 1000, 1000));
        return [=, &party] { (void)multiply(party, *x, *y); };
    };
    all["relu_100k"] =
        with_one(100, 1000, [](Party& party, const SharedMatrix& x) { (void)relu(party, x); });
    all["relu_100k_32bit"] =
        with_one(100, 1000, [](Party& party, const SharedMatrix& x) { (void)relu(party, x, 32); });
    all["compare_100k"] = with_one(
        100, 1000, [](Party& party, const SharedMatrix& x) { (void)is_negative(party, x); });
    all["matmul_1024"] = with_one(
        1024, 1024, [](Party& party, const SharedMatrix& x) { (void)matmul_fixed(party, x, x); });
    all["join_10k"] = [](Party& party) { return join_case(party, 10'000, true); };
    all["join_1m"] = [](Party& party) { return join_case(party, 1'000'000, true); };
    all["join_1m_any_order"] = [](Party& party) { return join_case(party, 1'000'000, false); };
    all["logreg_784_step"] = network_case({.widths = {784, 1}}, true);
    all["mlp_train_step"] = network_case({.widths = {784, 128, 128, 10}}, true);
    all["mlp_private_step"] = network_case({.widths = {784, 128, 128, 10}}, true,
                                           {.clipping_norm = 1, .noise_multiplier = 4});
    all["mlp_infer"] = network_case({.widths = {784, 128, 128, 10}}, false);
    all["mlp_adam_step"] =
        network_case({.widths = {784, 128, 128, 10}}, true, {.optimizer = Optimizer::kAdam});
    all["lenet_train_step"] = network_case(lenet(NetworkLayer::Kind::kAveragePool), true);
    all["lenet_max_pool_train_step"] = network_case(lenet(NetworkLayer::Kind::kMaxPool), true);
    return all;
}

double cpu_seconds() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double wall_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2),
                     values.end());
    return values[values.size() / 2];
}

// Bytes are averaged over the runs, because the parties change roles from run to run.
Json measure(Party& party, const Case& make, int repeat) {
    const Run run = make(party);
    if (repeat > 1) run();
    party.verify();
    std::vector<double> cpu, wall;
    party.synchronize();
    const net::Traffic before = party.ledger().total();
    for (int i = 0; i < repeat; ++i) {
        const double cpu_start = cpu_seconds(), wall_start = wall_seconds();
        run();
        party.verify();
        cpu.push_back(cpu_seconds() - cpu_start);
        wall.push_back(wall_seconds() - wall_start);
    }
    const net::Traffic used = party.ledger().total() - before;
    party.synchronize();
    return {{"bytes", static_cast<double>(used.bytes_sent) / repeat},
            {"rounds", static_cast<double>(used.rounds) / repeat},
            {"cpu_s", median(cpu)},
            {"wall_s", median(wall)}};
}

struct Setup {
    std::vector<crypto::NetworkIdentity> identities;
    std::vector<std::unique_ptr<net::Listener>> listeners;
};

crypto::ExpectedPeer pinned(const crypto::NetworkIdentity& identity) {
    return {
        .names = {identity.name()}, .pins = {{identity.name(), identity.pin()}}, .authorities = {}};
}

// What each process does with its party.
using Program = std::function<Json(Party&)>;

Json run_party(Setup& setup, size_t index, const Program& program, const PartyOptions& options) {
    const size_t next = (index + 1) % 3, previous = (index + 2) % 3;
    PartyLinks links =
        connect_parties(static_cast<int>(index), *setup.listeners[index],
                        {"127.0.0.1", setup.listeners[next]->port()}, setup.identities[index],
                        pinned(setup.identities[previous]), pinned(setup.identities[next]));
    Party party(static_cast<int>(index), std::move(links.previous), std::move(links.next), options);
    Json out = program(party);
    party.synchronize();
    return out;
}

std::string read_all(int descriptor) {
    std::string text;
    char buffer[4096];
    for (ssize_t got; (got = ::read(descriptor, buffer, sizeof(buffer))) > 0;) {
        text.append(buffer, static_cast<size_t>(got));
    }
    return text;
}

[[noreturn]] void child(Setup& setup, size_t index, const Program& program,
                        const PartyOptions& options, int out) {
    int status = 1;
    try {
        const std::string text = run_party(setup, index, program, options).dump();
        status =
            ::write(out, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "party %zu: %s\n", index, error.what());
    }
    ::_exit(status);
}

Json run_parties(const Program& program, const PartyOptions& options) {
    Setup setup;
    for (int i = 0; i < 3; ++i) {
        setup.identities.push_back(crypto::NetworkIdentity::create("party-" + std::to_string(i)));
        setup.listeners.push_back(std::make_unique<net::Listener>(net::Endpoint{"127.0.0.1", 0}));
    }
    int pipes[3][2];
    pid_t children[3];
    for (size_t i = 0; i < 3; ++i) {
        if (::pipe(pipes[i]) != 0) throw Error(ErrorCode::kIo, "no pipe");
        children[i] = ::fork();
        if (children[i] == 0) child(setup, i, program, options, pipes[i][1]);
        ::close(pipes[i][1]);
    }
    Json results;
    for (size_t i = 0; i < 3; ++i) {
        const std::string text = read_all(pipes[i][0]);
        int status = 0;
        ::waitpid(children[i], &status, 0);
        if (status != 0) throw Error(ErrorCode::kInternal, "a party has failed");
        results.push_back(Json::parse(text));
    }
    return results;
}

Json summary(const std::string& name, const Json& parties, Security security) {
    const auto values = [&](const char* key) {
        std::vector<double> out;
        for (const Json& party : parties) out.push_back(party[name][key].get<double>());
        return out;
    };
    const auto mean = [&](const char* key) {
        double sum = 0;
        for (double value : values(key)) sum += value;
        return sum / 3;
    };
    const auto bytes = values("bytes");
    return {{"case", name},
            {"security", security == Security::kMalicious ? "malicious" : "semi-honest"},
            {"bytes_per_party", mean("bytes")},
            {"bytes_max_party", *std::max_element(bytes.begin(), bytes.end())},
            {"rounds", mean("rounds")},
            {"cpu_s_per_party", mean("cpu_s")},
            {"wall_s", mean("wall_s")}};
}

double mean_of(const Json& parties, const char* key) {
    double sum = 0;
    for (const Json& party : parties) sum += party[key].get<double>();
    return sum / static_cast<double>(parties.size());
}

// The last 10,000 examples of the training set, or all others.
data::Dataset held_out(const data::Dataset& set, bool last) {
    const int64_t begin = last ? set.size() - 10'000 : 0;
    const int64_t end = last ? set.size() : set.size() - 10'000;
    std::vector<int64_t> rows;
    for (int64_t r = begin; r < end; ++r) rows.push_back(r);
    return data::select_rows(set, rows);
}

// What --mnist trains, and what --choose may choose from.
struct Recipe {
    NetworkShape shape;
    double learning_rate, decay;
    std::vector<double> rates, decays;
};

Recipe recipe(const std::string& network) {
    if (network == "mlp") {
        return {{.widths = {784, 128, 128, 10}}, 0.05, 0.6, {0.03, 0.05, 0.08}, {0.5, 0.7}};
    }
    const bool max = network == "lenet-max-pool";
    using Kind = NetworkLayer::Kind;
    return {lenet(max ? Kind::kMaxPool : Kind::kAveragePool), 0.05, 0.7, {0.03, 0.06}, {0.6, 0.8}};
}

// Learning rate and decay by twins on a part of the training set that is held out; the test set has
// no say in it.
Json choose_rate(TrainingJob& job, const Recipe& from, const data::Dataset& train_set,
                 const NetworkWeights& initial) {
    const data::Dataset most = held_out(train_set, false), rest = held_out(train_set, true);
    TrainingJob trial = job;
    trial.examples = static_cast<size_t>(most.size());
    Json tried = Json::array();
    double best = 0;
    for (double rate : from.rates) {
        for (double decay : from.decays) {
            trial.options.learning_rate = rate;
            trial.decay = decay;
            Twin twin(Random::from_system());
            const double found = accuracy(train_twin(twin, trial, initial, most), rest);
            tried.push_back({{"learning_rate", rate}, {"decay", decay}, {"held_out", found}});
            std::fprintf(stderr, "%s\n", tried.back().dump().c_str());
            if (found <= best) continue;
            best = found;
            job.options.learning_rate = rate;
            job.decay = decay;
        }
    }
    return tried;
}

Json train_mnist(const std::string& folder, const std::string& network, int epochs, bool choose,
                 bool shares, PartyOptions options) {
    const auto load = [&](const char* split) {
        return data::load_dataset({.data = folder, .split = split}).dataset;
    };
    const data::Dataset train_set = load("train"), test_set = load("test");
    const Recipe from = recipe(network);
    TrainingJob job;
    job.shape = from.shape;
    job.options = {.batch_size = kBatch, .learning_rate = from.learning_rate, .momentum = 0.9};
    job.epochs = epochs;
    job.decay = from.decay;
    job.examples = static_cast<size_t>(train_set.size());
    Random random = Random::from_system();
    const NetworkWeights initial = initial_weights(job.shape, random);
    Json tried;
    if (choose) tried = choose_rate(job, from, train_set, initial);
    if (!shares) return {{"tried", tried}};
    options.job = job.digest();
    const Program program = [&](Party& party) -> Json {
        const double cpu = cpu_seconds();
        const JobResult result = train(party, job, initial, &train_set);
        return {{"accuracy", accuracy(result.network, test_set)},
                {"seconds", result.seconds},
                {"cpu_s", cpu_seconds() - cpu},
                {"bytes", static_cast<double>(result.traffic.bytes_sent)},
                {"rounds", static_cast<double>(result.traffic.rounds)}};
    };
    const Json parties = run_parties(program, options);
    Twin twin(Random::from_system());
    return {{"case", "mnist_" + network},
            {"epochs", epochs},
            {"learning_rate", job.options.learning_rate},
            {"decay", job.decay},
            {"tried", tried},
            {"accuracy", parties[0]["accuracy"]},
            {"twin_accuracy", accuracy(train_twin(twin, job, initial, train_set), test_set)},
            {"seconds", mean_of(parties, "seconds")},
            {"cpu_s_per_party", mean_of(parties, "cpu_s")},
            {"bytes_per_party", mean_of(parties, "bytes")},
            {"rounds", mean_of(parties, "rounds")}};
}

// Three threads whose messages arrive half a round trip after they were sent. CPU seconds are then
// those of all three together.
Json run_delayed(const Program& program, const PartyOptions& options, double rtt_ms) {
    const net::PipeOptions pipe = {
        .capacity_bytes = size_t{1} << 28,
        .one_way_delay = std::chrono::microseconds(static_cast<int64_t>(rtt_ms * 500))};
    std::vector<Json> results(3);
    run_local([&](Party& party) { results[static_cast<size_t>(party.index())] = program(party); },
              options, pipe);
    return results;
}

// Intersection of two owners as two threads, which share the cores.
Json run_psi(size_t rows, bool fast) {
    auto [one, other] = net::local_channels("one", "two");
    const auto identifiers = [&](size_t first) {
        std::vector<std::string> out;
        for (size_t i = 0; i < rows; ++i) out.push_back("customer-" + std::to_string(first + i));
        return out;
    };
    const std::vector<std::string> mine = identifiers(0), theirs = identifiers(rows / 2);
    const auto run = [fast](net::Channel& peer, PsiRole role, const auto& ids) {
        return fast ? intersect_fast(peer, role, ids, {}) : intersect(peer, ids, {});
    };
    const double cpu = cpu_seconds(), wall = wall_seconds();
    std::thread second([&, peer = other.get()] { (void)run(*peer, PsiRole::kSecond, theirs); });
    const PsiResult result = run(*one, PsiRole::kFirst, mine);
    second.join();
    return {{"case", fast ? "psi_oprf" : "psi_ecdh"},
            {"rows", rows},
            {"common", result.size},
            {"bytes_first", one->wire_bytes_sent()},
            {"bytes_second", other->wire_bytes_sent()},
            {"bytes_per_party", (one->wire_bytes_sent() + other->wire_bytes_sent()) / 2},
            {"cpu_s_per_party", (cpu_seconds() - cpu) / 2},
            {"wall_s", wall_seconds() - wall}};
}

Json run_cases(const std::vector<std::string>& names, int repeat, const PartyOptions& options,
               double rtt_ms) {
    const Program program = [&](Party& party) {
        Json out;
        for (const std::string& name : names) {
            out[name] = measure(party, cases().at(name), repeat);
        }
        return out;
    };
    const Json parties =
        rtt_ms > 0 ? run_delayed(program, options, rtt_ms) : run_parties(program, options);
    Json list = Json::array();
    for (const std::string& name : names) {
        list.push_back(summary(name, parties, options.security));
        if (rtt_ms > 0) list.back()["rtt_ms"] = rtt_ms;
    }
    return list;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Cost of three-party computation on loopback");
    bool json = false, fast = false, malicious = false, choose = false, shares = true;
    std::vector<std::string> names;
    std::string mnist, network = "mlp";
    int repeat = 9, epochs = 1;
    size_t psi_rows = 0, fast_psi_rows = 0;
    double rtt_ms = 0;
    app.add_flag("--json", json, "print one JSON list");
    app.add_flag("--fast-truncation", fast, "the probabilistic truncation");
    app.add_flag("--malicious", malicious, "security against parties that deviate");
    app.add_option("--case", names, "only these cases");
    app.add_option("--repeat", repeat, "runs per case");
    app.add_option("--mnist", mnist, "folder with MNIST's IDX files: train instead");
    app.add_flag("--choose", choose, "with --mnist: learning rate and decay by held-out examples");
    app.add_flag("!--only-choose", shares, "end after --choose");
    app.add_option("--network", network, "of --mnist")
        ->check(CLI::IsMember({"mlp", "lenet", "lenet-max-pool"}));
    app.add_option("--epochs", epochs, "epochs of --mnist");
    app.add_option("--psi", psi_rows, "intersect two sets of so many identifiers instead");
    app.add_option("--psi-fast", fast_psi_rows, "the same by OT extension");
    app.add_option("--rtt-ms", rtt_ms, "simulate links with this round-trip time");
    CLI11_PARSE(app, argc, argv);
    try {
        const PartyOptions options = {
            .job = "bench",
            .truncation = fast ? Truncation::kFast : Truncation::kExact,
            .security = malicious ? Security::kMalicious : Security::kSemiHonest};
        if (!mnist.empty()) {
            std::printf(
                "%s\n",
                train_mnist(mnist, network, epochs, choose, shares, options).dump(2).c_str());
            return 0;
        }
        if (psi_rows > 0 || fast_psi_rows > 0) {
            const bool by_extension = fast_psi_rows > 0;
            const Json row = run_psi(by_extension ? fast_psi_rows : psi_rows, by_extension);
            std::printf("%s\n", row.dump(2).c_str());
            return 0;
        }
        if (names.empty()) {
            for (const auto& [name, make] : cases()) {
                const bool unverified = name.starts_with("join") || name == "mlp_private_step";
                if (malicious && unverified) continue;
                if (!name.starts_with("join_1m"))
                    names.push_back(name);  // half a minute; ask for it
            }
        }
        const Json list = run_cases(names, repeat, options, rtt_ms);
        if (json) {
            std::printf("%s\n", list.dump(2).c_str());
            return 0;
        }
        std::printf("%s, %s, 3 processes\n", cpu_features().brand.c_str(),
                    std::string(isa_name(isa())).c_str());
        for (const Json& row : list) {
            std::printf("%-18s %10.4f MB/party  %6.1f rounds  %8.4f CPU s/party  %8.4f s wall\n",
                        row["case"].get<std::string>().c_str(),
                        row["bytes_per_party"].get<double>() / 1e6, row["rounds"].get<double>(),
                        row["cpu_s_per_party"].get<double>(), row["wall_s"].get<double>());
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_mpc: %s\n", error.what());
        return 1;
    }
    return 0;
}
