// Time of the operations of homomorphic encryption on one thread, in microseconds of thread CPU
// time (median of at least nine runs); every result is decrypted or transformed back and checked.
//   bench_he_ops [--json] [--isa scalar|avx512] [--max-log-degree 12..16]
//   bench_he_ops --bootstrap LOG_SLOTS [--levels L] [--threads T] [--json]
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "ward/core/cpu.h"
#include "ward/core/error.h"
#include "ward/core/parallel.h"
#include "ward/he/bfv.h"
#include "ward/he/bootstrap.h"
#include "ward/he/ckks.h"
#include "ward/he/internal/kernels.h"

namespace {

using namespace ward::he;
using ward::Random;
using Rows = nlohmann::ordered_json;

double thread_microseconds() {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) * 1e-3;
}

// The median of at least 9 runs and about 0.1 s, after two that warm up.
double median_us(const std::function<void()>& body) {
    body();
    body();
    std::vector<double> times;
    double total = 0;
    while (times.size() < 9 || (total < 1e5 && times.size() < 2001)) {
        const double start = thread_microseconds();
        body();
        times.push_back(thread_microseconds() - start);
        total += times.back();
    }
    std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
    return times[times.size() / 2];
}

void require(bool good, const std::string& what) {
    if (!good) throw std::runtime_error("wrong result: " + what);
}

class Bench {
  public:
    void transforms(int log_degree);
    void ckks(const Parameters& parameters);
    void bfv(const Parameters& parameters);
    void bootstrap(int log_slots, int levels);
    const Rows& rows() const { return rows_; }

  private:
    void add(const char* scheme, const char* op, size_t n, size_t data_primes,
             const std::function<void()>& body) {
        rows_.push_back({{"scheme", scheme},
                         {"op", op},
                         {"n", n},
                         {"data_primes", data_primes},
                         {"us", median_us(body)}});
    }

    Random random_ = Random::from_system();
    Rows rows_ = Rows::array();
};

void Bench::transforms(int log_degree) {
    const internal::Kernels& k = internal::kernels();
    const internal::NttTable table(log_degree, internal::ntt_primes(log_degree, 49, 1)[0]);
    const size_t n = table.degree();
    internal::Buffer in(n), forward(n), back(n);
    for (size_t i = 0; i < n; ++i) in[i] = random_.below(table.modulus().value());
    add("ckks", "ntt_forward", n, 1, [&] { k.ntt_forward(table, in.data(), forward.data()); });
    add("ckks", "ntt_inverse", n, 1, [&] { k.ntt_inverse(table, forward.data(), back.data()); });
    require(std::equal(in.data(), in.data() + n, back.data()), "inverse transform");
}

void Bench::ckks(const Parameters& parameters) {
    const auto context = Context::create(parameters);
    const size_t n = context->degree(), primes = parameters.data_primes.size();
    const int slots = static_cast<int>(context->slots());
    const auto time = [&](const char* op, const std::function<void()>& body) {
        add("ckks", op, n, primes, body);
    };
    const CkksEncoder encoder(context);
    const CkksEvaluator evaluator(context);
    const SecretKey secret = SecretKey::generate(context, random_);
    const PublicKey key = PublicKey::generate(secret, random_);
    std::vector<double> values(slots);
    for (double& v : values) v = 2 * random_.uniform01() - 1;
    const auto check = [&](const Ciphertext& c, auto expected, const char* what) {
        const auto got = encoder.decode(decrypt_for_owner(secret, c));
        for (int i = 0; i < slots; ++i) {
            require(std::abs(got[i] - expected(i)) <= c.error_bound(), what);
        }
    };
    const auto identity = [&](int i) { return values[i]; };

    Plaintext message = encoder.encode(values, {.bound = 1.0});
    time("encode", [&] { message = encoder.encode(values, {.bound = 1.0}); });
    Ciphertext x = encrypt(secret, message, random_);
    time("encrypt_symmetric", [&] { x = encrypt(secret, message, random_); });
    check(x, identity, "symmetric encryption");
    time("encrypt_public", [&] { x = encrypt(key, message, random_); });
    check(x, identity, "encryption");
    time("decrypt", [&] { message = decrypt_for_owner(secret, x); });
    time("decode", [&] { encoder.decode(message); });
    message = encoder.encode(values, {.bound = 1.0});

    RelinKey relin = RelinKey::generate(secret, random_);
    time("relin_key", [&] { relin = RelinKey::generate(secret, random_); });
    std::vector<int> steps{1};
    GaloisKeys keys = GaloisKeys::generate(secret, steps, false, random_);
    time("galois_key", [&] { keys = GaloisKeys::generate(secret, steps, false, random_); });

    Ciphertext y = x;
    time("add", [&] { y = evaluator.add(x, x); });
    time("multiply_plain", [&] { y = evaluator.multiply(x, message); });
    time("multiply", [&] { y = evaluator.multiply(x, x); });
    check(
        y, [&](int i) { return values[i] * values[i]; }, "product");
    Ciphertext z = y;
    time("key_switch", [&] { z = evaluator.relinearise(y, relin); });
    check(
        z, [&](int i) { return values[i] * values[i]; }, "relinearisation");
    time("multiply_relin", [&] { z = evaluator.multiply(x, x, relin); });
    if (z.level() > 0) {
        Ciphertext small = z;
        time("rescale", [&] { small = evaluator.rescale(z); });
        check(
            small, [&](int i) { return values[i] * values[i]; }, "rescaling");
    }
    time("rotate", [&] { z = evaluator.rotate(x, 1, keys); });
    check(
        z, [&](int i) { return values[(i + 1) % slots]; }, "rotation");

    steps.resize(16);
    std::iota(steps.begin(), steps.end(), 1);
    keys = GaloisKeys::generate(secret, steps, false, random_);
    std::vector<Ciphertext> all;
    time("hoisted_16", [&] { all = evaluator.rotate_hoisted(x, steps, keys); });
    for (int r = 1; r <= 16; ++r) {
        check(
            all[r - 1], [&](int i) { return values[(i + r) % slots]; }, "hoisted rotation");
    }
}

void Bench::bfv(const Parameters& parameters) {
    const auto context = Context::create(parameters);
    const size_t n = context->degree(), primes = parameters.data_primes.size();
    const auto time = [&](const char* op, const std::function<void()>& body) {
        add("bfv", op, n, primes, body);
    };
    const BfvEncoder encoder(context);
    const BfvEvaluator evaluator(context);
    const SecretKey secret = SecretKey::generate(context, random_);
    const PublicKey key = PublicKey::generate(secret, random_);
    const RelinKey relin = RelinKey::generate(secret, random_);
    const GaloisKeys keys = GaloisKeys::generate(secret, std::vector<int>{1}, false, random_);
    std::vector<int64_t> values(n), squares(n), rotated(n);
    for (size_t i = 0; i < n; ++i) {
        values[i] = static_cast<int64_t>(random_.below(200)) - 100;
        squares[i] = values[i] * values[i];
    }
    for (size_t i = 0; i < n; ++i) rotated[i] = values[i / (n / 2) * (n / 2) + (i + 1) % (n / 2)];
    const auto check = [&](const Ciphertext& c, const std::vector<int64_t>& expected,
                           const char* what) {
        require(encoder.decode(decrypt_for_owner(secret, c)) == expected, what);
    };
    Plaintext message = encoder.encode(values);
    time("encode", [&] { message = encoder.encode(values); });
    Ciphertext x = encrypt(key, message, random_);
    time("encrypt_symmetric", [&] { x = encrypt(secret, message, random_); });
    check(x, values, "symmetric encryption");
    time("encrypt_public", [&] { x = encrypt(key, message, random_); });
    check(x, values, "encryption");
    time("decrypt", [&] { decrypt_for_owner(secret, x); });
    Ciphertext y = x, z = x, copy = encrypt(key, message, random_);
    time("add", [&] { y = evaluator.add(x, copy); });
    time("multiply_plain", [&] { y = evaluator.multiply(x, message); });
    check(y, squares, "product with a plaintext");
    time("multiply", [&] { y = evaluator.multiply(x, copy); });
    check(y, squares, "product");
    time("key_switch", [&] { z = evaluator.relinearise(y, relin); });
    time("multiply_relin", [&] { z = evaluator.multiply(x, copy, relin); });
    check(z, squares, "relinearised product");
    time("rotate", [&] { z = evaluator.rotate_rows(x, 1, keys); });
    check(z, rotated, "rotation");
    time("mod_switch", [&] { z = evaluator.switch_to_level(x, x.level() - 1); });
    check(z, values, "modulus switch");
}

// As many bits as the tables allow, in the shapes of the figures that are compared.
Parameters bfv_shape(int log_degree, int data, int bits, int special_bits) {
    Parameters p;
    p.scheme = Scheme::kBfv;
    p.log_degree = log_degree;
    p.plaintext_modulus = internal::ntt_primes(log_degree, 20, 1)[0];
    p.data_primes = internal::ntt_primes(log_degree, bits, data);
    p.special_primes = internal::ntt_primes(log_degree, special_bits, 1, p.data_primes);
    return p;
}

// Twice, since one takes seconds: the faster. CPU time is that of all threads.
void Bench::bootstrap(int log_slots, int levels) {
    const BootstrapPlan plan = plan_bootstrap({.levels = levels, .log_slots = log_slots});
    const auto context = Context::create(plan.parameters);
    const CkksEncoder encoder(context);
    const CkksEvaluator evaluator(context);
    const SecretKey secret = SecretKey::generate(context, random_);
    const BootstrapKeys keys = BootstrapKeys::generate(secret, plan, random_);
    const Bootstrapper bootstrapper(context, plan);
    std::vector<double> values(size_t{1} << log_slots);
    for (double& v : values) v = 2 * random_.uniform01() - 1;
    const Ciphertext x = evaluator.drop_to_level(
        encrypt(secret, encoder.encode(values, {.bound = 1.0, .slots = 1 << log_slots}), random_),
        0);
    double seconds = INFINITY, cpu = INFINITY, squares = 0, largest = 0;
    for (int repetition = 0; repetition < 2; ++repetition) {
        const auto start = std::chrono::steady_clock::now();
        const std::clock_t cpu_start = std::clock();
        const Ciphertext y = bootstrapper.refresh(x, keys);
        cpu = std::min(cpu, static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC);
        seconds = std::min(
            seconds,
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
        const auto got = encoder.decode(decrypt_for_owner(secret, y));
        require(y.level() == levels, "levels after bootstrapping");
        squares = largest = 0;
        for (size_t i = 0; i < values.size(); ++i) {
            const double error = std::abs(got[i] - values[i]);
            require(error <= y.error_bound(), "bootstrapping");
            largest = std::max(largest, error);
            squares += error * error;
        }
    }
    rows_.push_back(
        {{"scheme", "ckks"},
         {"op", "bootstrap"},
         {"n", context->degree()},
         {"data_primes", plan.parameters.data_primes.size()},
         {"us", cpu * 1e6},
         {"wall_us", seconds * 1e6},
         {"threads", ward::num_threads()},
         {"slots", values.size()},
         {"levels", levels},
         {"precision_bits", -std::log2(largest)},
         {"mean_precision_bits", -0.5 * std::log2(squares / static_cast<double>(values.size()))},
         {"key_bytes_in_memory", keys.size_bytes()}});
}

int print(const Rows& rows, bool json) {
    if (json) {
        std::printf("%s\n", rows.dump(1).c_str());
        return 0;
    }
    std::printf("%s, %s, thread CPU time\n", ward::cpu_features().brand.c_str(),
                std::string(ward::isa_name(ward::isa())).c_str());
    for (const auto& row : rows) {
        std::printf("%-5s %-18s N %6d  primes %2d  %12.1f us\n",
                    row["scheme"].get<std::string>().c_str(), row["op"].get<std::string>().c_str(),
                    row["n"].get<int>(), row["data_primes"].get<int>(), row["us"].get<double>());
        if (row["op"] != "bootstrap") continue;
        std::printf(
            "      %.2f s on %d threads, %ld slots, %d levels, %.1f bits (mean %.1f), keys %.2f "
            "GB\n",
            row["wall_us"].get<double>() * 1e-6, row["threads"].get<int>(),
            row["slots"].get<long>(), row["levels"].get<int>(), row["precision_bits"].get<double>(),
            row["mean_precision_bits"].get<double>(),
            row["key_bytes_in_memory"].get<double>() * 1e-9);
    }
    return 0;
}

int run(bool json, int max_log_degree) {
    Bench bench;
    for (int log_degree = 12; log_degree <= max_log_degree; ++log_degree) {
        bench.transforms(log_degree);
    }
    struct Shape {
        int log_degree, depth, scale_bits;
    };
    for (const Shape s : {Shape{12, 1, 28}, {13, 2, 40}, {14, 6, 40}, {15, 12, 45}}) {
        if (s.log_degree > max_log_degree) continue;
        bench.ckks(ckks_parameters({.depth = s.depth,
                                    .scale_bits = s.scale_bits,
                                    .integer_bits = std::min(8, 47 - s.scale_bits),
                                    .min_slots = 1 << (s.log_degree - 1)}));
    }
    if (max_log_degree >= 13) bench.bfv(bfv_shape(13, 4, 42, 43));
    if (max_log_degree >= 14) bench.bfv(bfv_shape(14, 8, 47, 49));
    return print(bench.rows(), json);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Times of the operations of ward::he");
    bool json = false;
    std::string isa;
    int max_log_degree = 15, log_slots = 0, levels = 8, threads = 1;
    app.add_flag("--json", json, "one JSON document");
    app.add_option("--isa", isa, "instruction set: scalar, avx2, avx512")
        ->check(CLI::IsMember({"scalar", "avx2", "avx512"}));
    app.add_option("--max-log-degree", max_log_degree)->check(CLI::Range(12, 16));
    auto* bootstrap = app.add_option("--bootstrap", log_slots,
                                     "only bootstrapping at N = 65536, with 2^this slots (takes "
                                     "3 to 8 GB)")
                          ->check(CLI::Range(3, 15));
    app.add_option("--levels", levels, "after bootstrapping")->needs(bootstrap);
    app.add_option("--threads", threads, "for bootstrapping")->needs(bootstrap);
    CLI11_PARSE(app, argc, argv);
    try {
        if (!isa.empty()) setenv("WARD_ISA", isa.c_str(), 1);  // before it is read, once
        ward::set_num_threads(1);
        if (log_slots == 0) return run(json, max_log_degree);
        ward::set_num_threads(threads);
        Bench bench;
        bench.bootstrap(log_slots, levels);
        return print(bench.rows(), json);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "bench_he_ops: %s\n", e.what());
        return 1;
    }
}
