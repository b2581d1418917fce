// Throughput of the generator and of the discrete Gaussian on one thread and on all.
//   bench_noise [--json]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ward/core/cpu.h"
#include "ward/core/parallel.h"
#include "ward/core/random.h"
#include "ward/dp/discrete_gaussian.h"
#include "ward/dp/poisson_sampler.h"

namespace {

using ward::dp::DiscreteGaussian;
using ward::Random;

// The median of nine runs, in seconds; one run before to warm up.
double seconds(const std::function<void()>& body) {
    body();
    std::vector<double> times;
    for (int i = 0; i < 9; ++i) {
        const auto start = std::chrono::steady_clock::now();
        body();
        times.push_back(
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::nth_element(times.begin(), times.begin() + 4, times.end());
    return times[4];
}

nlohmann::ordered_json measure() {
    Random random = Random::from_system();
    nlohmann::ordered_json result = {{"cpu", ward::cpu_features().brand},
                                     {"isa", ward::isa_name(ward::isa())},
                                     {"threads", ward::num_threads()}};
    std::vector<uint8_t> bytes(size_t{1} << 24);
    result["random_gb_per_s"] = static_cast<double>(bytes.size()) / 1e9 /
                                seconds([&] { random.fill(std::span<uint8_t>(bytes)); });

    constexpr size_t kCount = 1900000;  // the noise of one step of a 1.9 M parameter model
    std::vector<int32_t> noise(kCount);
    for (double sigma : {0.5, 10.0, 0x1p16, 0x1p20, 0x1p24, 0x1p25}) {
        const DiscreteGaussian law(sigma);
        const double one = seconds([&] { law.sample_vartime(random, std::span<int32_t>(noise)); });
        const double all =
            seconds([&] { law.sample_parallel_vartime(random, std::span<int32_t>(noise)); });
        result["discrete_gaussian"].push_back({{"sigma", sigma},
                                               {"msamples_per_s", kCount / one / 1e6},
                                               {"msamples_per_s_all_threads", kCount / all / 1e6},
                                               {"ms_per_1.9M", one * 1e3}});
    }
    const ward::dp::PoissonSampler sampler(256, 60000);
    std::vector<int64_t> batch;
    result["poisson_60000_us"] = 1e6 * seconds([&] { batch = sampler.sample(random); });
    return result;
}

void print(const nlohmann::ordered_json& result) {
    std::printf("%s, %s, %d threads\n", result["cpu"].get<std::string>().c_str(),
                result["isa"].get<std::string>().c_str(), result["threads"].get<int>());
    std::printf("random bytes              %8.2f GB/s\n", result["random_gb_per_s"].get<double>());
    for (const auto& row : result["discrete_gaussian"]) {
        std::printf("sigma %12.1f  %8.1f M samples/s, all threads %8.1f, 1.9 M in %.2f ms\n",
                    row["sigma"].get<double>(), row["msamples_per_s"].get<double>(),
                    row["msamples_per_s_all_threads"].get<double>(),
                    row["ms_per_1.9M"].get<double>());
    }
    std::printf("Poisson batch of 60000    %8.1f us\n", result["poisson_60000_us"].get<double>());
}

}  // namespace

int main(int argc, char** argv) {
    const auto result = measure();
    if (argc > 1 && std::strcmp(argv[1], "--json") == 0) {
        std::printf("%s\n", result.dump(2).c_str());
    } else {
        print(result);
    }
    return 0;
}
