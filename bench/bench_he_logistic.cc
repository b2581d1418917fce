// Logistic regression on encrypted rows of a table with a 0/1 label in its last column: training,
// and evaluation of the rows held out; wall-clock seconds.
//   bench_he_logistic framingham.csv [--epochs 5] [--threads 1] [--json]
// Columns and split are those of the well-known encrypted tutorial on the Framingham table: rows
// with missing values and six columns left out, classes balanced, features standardised, 334 of
// 1114 rows held out. Results are decrypted and compared with the same arithmetic in the clear.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "ward/core/cpu.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/parallel.h"
#include "ward/he/infer/logistic.h"
#include "ward/he/infer/program.h"
#include "ward/he/polynomial.h"

namespace {

using namespace ward::he;
using ward::Random;

struct Table {
    size_t features = 0;
    std::vector<double> values;
    std::vector<int> labels;
};

std::vector<std::string> fields(const std::string& line) {
    std::vector<std::string> out;
    std::stringstream stream(line);
    for (std::string field; std::getline(stream, field, ',');) {
        while (!field.empty() && field.back() == '\r') field.pop_back();
        out.push_back(field);
    }
    return out;
}

Table read_table(const std::string& path) {
    const std::set<std::string> skipped{"education", "currentSmoker", "BPMeds",
                                        "diabetes",  "diaBP",         "BMI"};
    std::stringstream text(ward::read_text_file(path));
    std::string line;
    std::getline(text, line);
    const auto header = fields(line);
    Table table;
    while (std::getline(text, line)) {
        const auto row = fields(line);
        const bool complete = row.size() == header.size() &&
                              std::none_of(row.begin(), row.end(), [](const std::string& f) {
                                  return f.empty() || f == "NA";
                              });
        if (!complete) continue;
        for (size_t j = 0; j + 1 < row.size(); ++j) {
            if (!skipped.contains(header[j])) table.values.push_back(std::stod(row[j]));
        }
        table.labels.push_back(std::stoi(row.back()));
    }
    table.features = table.values.size() / std::max<size_t>(table.labels.size(), 1);
    return table;
}

Table select(const Table& from, const std::vector<size_t>& rows) {
    Table out{from.features, {}, {}};
    for (size_t i : rows) {
        const auto begin = from.values.begin() + static_cast<ptrdiff_t>(i * from.features);
        out.values.insert(out.values.end(), begin, begin + static_cast<ptrdiff_t>(from.features));
        out.labels.push_back(from.labels[i]);
    }
    return out;
}

void standardise(Table& table) {
    const size_t rows = table.labels.size();
    for (size_t j = 0; j < table.features; ++j) {
        double mean = 0, square = 0;
        for (size_t i = 0; i < rows; ++i) mean += table.values[i * table.features + j];
        mean /= static_cast<double>(rows);
        for (size_t i = 0; i < rows; ++i) {
            double& x = table.values[i * table.features + j];
            x -= mean;
            square += x * x;
        }
        const double deviation = std::sqrt(square / static_cast<double>(rows));
        for (size_t i = 0; i < rows; ++i) table.values[i * table.features + j] /= deviation;
    }
}

// As many rows of each class as the rarer one has, in random order.
Table balanced(const Table& table, Random& random) {
    std::vector<size_t> classes[2], rows;
    for (size_t i = 0; i < table.labels.size(); ++i) classes[table.labels[i]].push_back(i);
    const size_t each = std::min(classes[0].size(), classes[1].size());
    for (auto& members : classes) {
        random.shuffle(std::span<size_t>(members));
        rows.insert(rows.end(), members.begin(), members.begin() + static_cast<ptrdiff_t>(each));
    }
    random.shuffle(std::span<size_t>(rows));
    return select(table, rows);
}

double accuracy(const Table& table, const std::vector<double>& weights) {
    int correct = 0;
    for (size_t i = 0; i < table.labels.size(); ++i) {
        double score = weights.back();
        for (size_t j = 0; j < table.features; ++j) {
            score += weights[j] * table.values[i * table.features + j];
        }
        correct += (score > 0) == (table.labels[i] == 1);
    }
    return static_cast<double>(correct) / static_cast<double>(table.labels.size());
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
    double largest = 0;
    for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
    return largest;
}

class Stopwatch {
  public:
    double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

nlohmann::ordered_json train(const Table& rows, const Table& test, int epochs,
                             std::vector<double>& weights, Random& random) {
    const LogisticPlan plan = plan_logistic({.rows = static_cast<int>(rows.labels.size()),
                                             .features = static_cast<int>(rows.features),
                                             .epochs = epochs});
    const auto context = Context::create(plan.parameters);
    const SecretKey secret = SecretKey::generate(context, random);
    const EvaluationKeys keys = make_evaluation_keys(secret, plan.rotations, random);
    const Ciphertext z = encrypt_rows(plan, rows.values, rows.labels, secret, random);
    const Stopwatch watch;
    const Ciphertext trained = train_logistic(plan, z, keys);
    const double seconds = watch.seconds();
    const auto slots = CkksEncoder(context).decode(decrypt_for_owner(secret, trained));
    weights.assign(slots.begin(), slots.begin() + static_cast<ptrdiff_t>(rows.features) + 1);
    const auto twin = train_logistic_twin(plan, rows.values, rows.labels);
    const double error = largest_difference(weights, twin);
    if (!(error < 1e-3)) throw std::runtime_error("wrong result of training");
    return {{"op", "logistic_train"},
            {"n", context->degree()},
            {"rows", rows.labels.size()},
            {"features", rows.features},
            {"epochs", epochs},
            {"seconds", seconds},
            {"accuracy", accuracy(test, weights)},
            {"twin_accuracy", accuracy(test, twin)},
            {"precision_bits", -std::log2(std::max(error, 0x1p-60))}};
}

// Encrypted rows, weights in the clear, a sigmoid at the end.
nlohmann::ordered_json evaluate_rows(const Table& test, const std::vector<double>& weights,
                                     Random& random) {
    const auto features = static_cast<int64_t>(test.features);
    Network network{"logistic", {features}, features, 1, {}};
    Stage stage;
    stage.name = "scores";
    stage.matrix = {1, features, {0, features}, {}, {}};
    for (int64_t j = 0; j < features; ++j) {
        stage.matrix.column.push_back(static_cast<int32_t>(j));
        stage.matrix.value.push_back(weights[static_cast<size_t>(j)]);
    }
    stage.bias = {weights.back()};
    stage.has_activation = true;
    const double radius = 8;
    const auto sigmoid = [](double m) { return 1 / (1 + std::exp(-m)); };
    stage.activation = {"sigmoid", chebyshev_coefficients(sigmoid, -radius, radius, 7), radius, 0};
    network.stages.push_back(stage);
    const double largest =
        std::abs(*std::max_element(test.values.begin(), test.values.end(),
                                   [](double a, double b) { return std::abs(a) < std::abs(b); }));
    const Plan whole = plan(
        network, {.packing = Packing::kBatch, .input = {-std::ceil(largest), std::ceil(largest)}});
    const InferenceClient client(client_plan(whole), random);
    const EvaluationKeys keys = client.evaluation_keys(random);
    const Program program(network, whole, client.context());
    const auto rows = static_cast<int64_t>(test.labels.size());
    const Stopwatch all;
    const auto up = client.encrypt(test.values, random);
    const Stopwatch watch;
    const auto down = program.run(up, keys);
    const double seconds = watch.seconds();
    const auto got = client.decrypt(down, rows);
    const double all_seconds = all.seconds();
    std::vector<double> expected;
    int correct = 0;
    for (int64_t i = 0; i < rows; ++i) {
        const auto row =
            std::span<const double>(test.values)
                .subspan(static_cast<size_t>(i * features), static_cast<size_t>(features));
        expected.push_back(evaluate(network, row)[0]);
        correct +=
            (got[static_cast<size_t>(i)] > 0.5) == (test.labels[static_cast<size_t>(i)] == 1);
    }
    const double error = largest_difference(got, expected);
    if (!(error < 1e-3)) throw std::runtime_error("wrong result of evaluation");
    return {{"op", "logistic_evaluate"},
            {"n", client.context()->degree()},
            {"rows", rows},
            {"features", features},
            {"seconds", seconds},
            {"with_encryption_seconds", all_seconds},
            {"accuracy", static_cast<double>(correct) / static_cast<double>(rows)},
            {"precision_bits", -std::log2(std::max(error, 0x1p-60))}};
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Logistic regression on encrypted rows"};
    std::string path;
    int epochs = 5, threads = 1;
    bool json = false;
    app.add_option("table", path, "CSV with a 0/1 label in the last column")->required();
    app.add_option("--epochs", epochs);
    app.add_option("--threads", threads);
    app.add_flag("--json", json);
    CLI11_PARSE(app, argc, argv);
    try {
        ward::set_num_threads(threads);
        Random random = Random::from_system();
        Table table = balanced(read_table(path), random);
        standardise(table);
        std::vector<size_t> train_rows, test_rows;
        const size_t held_out = table.labels.size() * 3 / 10;
        for (size_t i = 0; i < table.labels.size(); ++i) {
            (i < held_out ? test_rows : train_rows).push_back(i);
        }
        const Table test = select(table, test_rows);
        std::vector<double> weights;
        auto rows = nlohmann::ordered_json::array();
        rows.push_back(train(select(table, train_rows), test, epochs, weights, random));
        rows.push_back(evaluate_rows(test, weights, random));
        if (json) {
            std::printf("%s\n", rows.dump().c_str());
            return 0;
        }
        std::printf("%s, %d thread%s\n", ward::cpu_features().brand.c_str(), threads,
                    threads == 1 ? "" : "s");
        for (const auto& row : rows) std::printf("%s\n", row.dump().c_str());
        return 0;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "error: %s\n", e.what());
        return 1;
    }
}
