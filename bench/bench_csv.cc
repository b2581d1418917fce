// CSV to typed columns in MB/s: one thread and all of them, beside a plain getline + strtod reader
// in the same run. `bench_csv [--json] [--mb N]`. The generated tables are public pseudo-random
// data.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <random>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "ward/core/cpu.h"
#include "ward/core/error.h"
#include "ward/core/parallel.h"
#include "ward/data/csv.h"

namespace {

using namespace ward;
using namespace ward::data;

constexpr int kRepeats = 5;
const std::vector<std::string> kCategories = {"Private",     "Self-emp-not-inc", "Local-gov",
                                              "Federal-gov", "State-gov",        "Without-pay"};

struct Workload {
    std::string name;
    Schema schema;
    std::string text;
};

ColumnSchema numeric(const std::string& name, ColumnKind kind) {
    ColumnSchema column;
    column.name = name;
    column.kind = kind;
    column.min = 0;
    column.max = 1e6;
    return column;
}

// Columns repeat as: integer, decimal, long decimal, category (or decimal without categories).
Workload generate(const std::string& name, bool categories, bool quoted, size_t bytes) {
    Workload work{name, {}, {}};
    std::mt19937_64 random(1);
    for (int i = 0; i < 16; ++i) {
        ColumnSchema column = numeric(std::string("c").append(std::to_string(i)),
                                      i % 4 == 0 ? ColumnKind::kInteger : ColumnKind::kNumeric);
        if (i % 4 == 3 && categories) {
            column.kind = ColumnKind::kCategorical;
            column.categories = kCategories;
        }
        work.text += (i == 0 ? "" : ",") + column.name;
        work.schema.columns.push_back(column);
    }
    work.text += "\n";
    work.text.reserve(bytes + 4096);
    char field[64];
    while (work.text.size() < bytes) {
        for (int i = 0; i < 16; ++i) {
            if (i > 0) work.text += ',';
            const uint64_t draw = random();
            if (i % 4 == 0) {
                std::snprintf(field, sizeof field, "%d", static_cast<int>(draw % 100000));
            } else if (i % 4 == 3 && categories) {
                const char* quote = quoted ? "\"" : "";
                std::snprintf(field, sizeof field, "%s%s%s", quote,
                              kCategories[draw % kCategories.size()].c_str(), quote);
            } else {
                std::snprintf(field, sizeof field, i % 4 == 1 ? "%.2f" : "%.6f",
                              static_cast<double>(draw % 100000000) * 1e-5);
            }
            work.text += field;
        }
        work.text += '\n';
    }
    return work;
}

double median_seconds(const std::function<void()>& body) {
    std::vector<double> seconds;
    for (int i = 0; i < kRepeats; ++i) {
        const auto start = std::chrono::steady_clock::now();
        body();
        seconds.push_back(
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::sort(seconds.begin(), seconds.end());
    return seconds[kRepeats / 2];
}

double mb_per_second(const Workload& work, const std::string& path, int threads) {
    set_num_threads(threads);
    return static_cast<double>(work.text.size()) / 1e6 /
           median_seconds([&] { read_csv(path, work.schema); });
}

// What many programs do: a line, a stream over it, strtod and a hash map.
double baseline_mb_per_second(const Workload& work) {
    double checksum = 0;
    const double seconds = median_seconds([&] {
        std::istringstream in(work.text);
        std::unordered_map<std::string, int> codes;
        std::vector<std::vector<double>> columns(work.schema.columns.size());
        std::string line, field;
        std::getline(in, line);
        while (std::getline(in, line)) {
            std::istringstream fields(line);
            for (size_t i = 0; std::getline(fields, field, ','); ++i) {
                const bool text = work.schema.columns[i].kind == ColumnKind::kCategorical;
                columns[i].push_back(text ? codes.try_emplace(field, codes.size()).first->second
                                          : std::strtod(field.c_str(), nullptr));
            }
        }
        checksum += columns[0].back();
    });
    if (checksum < 0) std::puts("");
    return static_cast<double>(work.text.size()) / 1e6 / seconds;
}

int run(int argc, char** argv) {
    bool json = false;
    size_t megabytes = 200;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--json") == 0) json = true;
        if (std::strcmp(argv[i], "--mb") == 0 && i + 1 < argc)
            megabytes = std::strtoul(argv[++i], nullptr, 10);
    }
    const int threads = num_threads();
    if (!json) {
        std::printf("cpu %s, isa %s, %d threads, %zu MB per table, median of %d, from page cache\n",
                    cpu_features().brand.c_str(), std::string(isa_name(isa())).c_str(), threads,
                    megabytes, kRepeats);
        std::printf("%-22s %14s %14s %14s %8s\n", "table", "1 thread MB/s", "all MB/s",
                    "getline MB/s", "ratio");
    }
    const std::string path = (std::filesystem::temp_directory_path() /
                              std::string("ward_bench_").append(std::to_string(megabytes)))
                                 .string();
    std::string list;
    for (const auto& [name, categories, quoted] :
         {std::tuple{"numeric", false, false}, std::tuple{"numeric+categorical", true, false},
          std::tuple{"quoted categories", true, true}}) {
        const Workload work = generate(name, categories, quoted, megabytes * 1000000);
        std::FILE* file = std::fopen(path.c_str(), "wb");
        if (file == nullptr ||
            std::fwrite(work.text.data(), 1, work.text.size(), file) != work.text.size())
            throw Error(ErrorCode::kIo, "cannot write " + path);
        std::fclose(file);
        const double one = mb_per_second(work, path, 1);
        const double all = mb_per_second(work, path, threads);
        const double plain = baseline_mb_per_second(work);
        std::filesystem::remove(path);
        if (!json)
            std::printf("%-22s %14.0f %14.0f %14.0f %8.1f\n", name, one, all, plain, one / plain);
        char line[256];
        std::snprintf(line, sizeof line,
                      "%s{\"table\":\"%s\",\"one_thread_mb_s\":%.1f,\"all_threads_mb_s\":%.1f,"
                      "\"getline_mb_s\":%.1f,\"ratio\":%.2f,\"threads\":%d}",
                      list.empty() ? "" : ",", name, one, all, plain, one / plain, threads);
        list += line;
    }
    if (json)
        std::printf("{\"cpu\":\"%s\",\"isa\":\"%s\",\"seed\":1,\"results\":[%s]}\n",
                    cpu_features().brand.c_str(), std::string(isa_name(isa())).c_str(),
                    list.c_str());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const ward::Error& error) {
        std::fprintf(stderr, "bench_csv: error: %s\n", error.what());
        return 1;
    }
}
