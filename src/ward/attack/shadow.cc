#include "ward/attack/shadow.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/parallel.h"
#include "ward/core/progress.h"
#include "ward/nn/network.h"
#include "ward/nn/threads.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr int64_t kRowsAtOnce = 500;

uint64_t mixed(uint64_t seed, uint64_t index) {
    uint64_t z = seed + 0x9e3779b97f4a7c15u * (index + 1);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

template <typename T>
ByteView bytes_of(const std::vector<T>& values) {
    return {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(T)};
}

// Of what the models see, not of where it came from.
std::string content_digest(const data::Dataset& data) {
    Sha256 digest;
    digest.update(bytes_of(data.example_shape)).update(bytes_of(data.inputs));
    digest.update(bytes_of(data.labels)).update(bytes_of(data.targets));
    return digest.hex();
}

nlohmann::json optional_json(const std::optional<double>& value) {
    return value ? nlohmann::json(*value) : nlohmann::json();
}

nlohmann::json privacy_json(const std::optional<train::PrivacyOptions>& privacy) {
    if (!privacy) return nullptr;
    return {optional_json(privacy->noise_multiplier),
            privacy->max_epsilon,
            privacy->delta,
            static_cast<int>(privacy->clipping),
            privacy->clipping_norm,
            privacy->adaptive.quantile,
            privacy->adaptive.learning_rate,
            privacy->adaptive.count_noise};
}

// Everything that decides about a model, its half and its seed included.
std::string key_of(const train::TrainOptions& options, const std::string& content,
                   const std::vector<uint8_t>& held) {
    const nlohmann::json all = {"ward shadow 2", content, sha256_hex(bytes_of(held)),
                                privacy_json(options.privacy), train::settings_text(options)};
    return sha256_hex(all.dump());
}

std::vector<int64_t> rows_of(const std::vector<uint8_t>& held) {
    std::vector<int64_t> rows;
    for (size_t i = 0; i < held.size(); ++i)
        if (held[i]) rows.push_back(static_cast<int64_t>(i));
    return rows;
}

// Many runs at once draw no bars of their own.
class QuietProgress {
  public:
    QuietProgress() : before_(progress_mode()) { set_progress_mode(ProgressMode::kOff); }
    ~QuietProgress() { set_progress_mode(before_); }
    QuietProgress(const QuietProgress&) = delete;
    QuietProgress& operator=(const QuietProgress&) = delete;

  private:
    ProgressMode before_;
};

// One thread inside each model while several are trained.
class OneThreadEach {
  public:
    OneThreadEach() : before_(num_threads()) { nn::set_threads(1); }
    ~OneThreadEach() { nn::set_threads(before_); }
    OneThreadEach(const OneThreadEach&) = delete;
    OneThreadEach& operator=(const OneThreadEach&) = delete;

  private:
    int before_;
};

class Workshop {
  public:
    Workshop(const data::Dataset& pool, const ShadowOptions& options)
        : pool_(pool),
          options_(options),
          content_(content_digest(pool)),
          progress_("train reference models", options.models, "models") {
        if (!options.cache.empty()) std::filesystem::create_directories(options.cache);
        auto halves = shadow_halves(pool.size(), options.models, options.seed);
        shadows_.resize(halves.size());
        for (size_t m = 0; m < halves.size(); ++m) shadows_[m].held = std::move(halves[m]);
    }

    std::vector<Shadow> run() {
        const int wanted = options_.jobs > 0 ? options_.jobs : num_threads();
        const int jobs = static_cast<int>(std::min<int64_t>(wanted, options_.models));
        const QuietProgress quiet;
        if (jobs == 1) {
            work();
        } else {
            const OneThreadEach one_thread_each;
            std::vector<std::thread> threads;
            for (int i = 0; i < jobs; ++i) {
                threads.emplace_back([this] {
                    at::set_num_threads(1);
                    work();
                });
            }
            for (std::thread& thread : threads) thread.join();
        }
        if (failure_) std::rethrow_exception(failure_);
        progress_.finish();
        return std::move(shadows_);
    }

  private:
    void work() {
        for (size_t m = next_++; m < shadows_.size() && !failed_; m = next_++) {
            try {
                finish(m);
                const std::lock_guard lock(mutex_);
                progress_.update(++done_);
            } catch (...) {
                const std::lock_guard lock(mutex_);
                if (!failure_) failure_ = std::current_exception();
                failed_ = true;
            }
        }
    }

    void finish(size_t m) {
        Shadow& shadow = shadows_[m];
        train::TrainOptions train = options_.train;
        train.seed = mixed(options_.seed, m);
        train.evaluations = 1;
        const std::string base =
            options_.cache.empty()
                ? ""
                : (std::filesystem::path(options_.cache) / key_of(train, content_, shadow.held))
                      .string();
        if (!base.empty() && std::filesystem::exists(base + ".safetensors")) {
            shadow.model = model::load_model(base + ".safetensors");
            shadow.from_cache = true;
            return;
        }
        train.checkpoint = base.empty() ? "" : base + ".checkpoint";
        train.data_mark = content_;
        train.resume = !base.empty() && std::filesystem::exists(train.checkpoint);
        const data::Dataset half = data::select_rows(pool_, rows_of(shadow.held));
        shadow.model = train::train(half, train).model;
        if (base.empty()) return;
        model::save_model(shadow.model, base + ".safetensors");
        std::filesystem::remove(train.checkpoint);
        std::filesystem::remove(train.checkpoint + ".lock");
    }

    const data::Dataset& pool_;
    const ShadowOptions& options_;
    std::string content_;
    Progress progress_;
    std::vector<Shadow> shadows_;
    std::atomic<size_t> next_{0};
    std::atomic<bool> failed_{false};
    std::mutex mutex_;
    int64_t done_ = 0;
    std::exception_ptr failure_;
};

}  // namespace

std::vector<std::vector<uint8_t>> shadow_halves(int64_t examples, int64_t models, uint64_t seed) {
    std::vector<std::vector<uint8_t>> halves;
    std::vector<int64_t> order(examples);
    for (int64_t pair = 0; pair < models / 2; ++pair) {
        std::iota(order.begin(), order.end(), 0);
        std::mt19937_64 generator(mixed(~seed, static_cast<uint64_t>(pair)));
        for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[generator() % i]);
        std::vector<uint8_t> first(examples, 0);
        for (int64_t i = 0; i < examples / 2; ++i) first[order[i]] = 1;
        std::vector<uint8_t> second = first;
        for (uint8_t& bit : second) bit ^= 1;
        halves.push_back(std::move(first));
        halves.push_back(std::move(second));
    }
    return halves;
}

std::vector<Shadow> train_shadows(const data::Dataset& pool, const ShadowOptions& options) {
    if (options.models < 2 || options.models % 2 != 0) {
        throw Error(ErrorCode::kUsage,
                    "reference models come in pairs, got " + std::to_string(options.models));
    }
    if (pool.size() < 4) {
        throw Error(ErrorCode::kUsage, "reference models need a pool of at least 4 examples, got " +
                                           std::to_string(pool.size()));
    }
    if (options.train.privacy && options.train.privacy->target_epsilon) {
        throw Error(ErrorCode::kUsage,
                    "reference models take the noise of the target, not its epsilon",
                    "give the noise multiplier");
    }
    return Workshop(pool, options).run();
}

Confidence confidence_of(const model::Model& model, const data::Dataset& data,
                         const AnswerForm& form) {
    if (data.size() == 0) return {};
    if (data.example_shape != model.spec.input_shape || data.labels.empty()) {
        throw Error(ErrorCode::kInvalid,
                    "data set " + data.name + " does not fit model " + model.spec.name,
                    "membership attacks need labelled examples like those of the training");
    }
    nn::Network network(model);
    at::NoGradGuard no_grad;
    std::vector<at::Tensor> parts;
    std::vector<int64_t> shape = data.example_shape;
    shape.insert(shape.begin(), 0);
    for (int64_t first = 0; first < data.size(); first += kRowsAtOnce) {
        shape[0] = std::min(kRowsAtOnce, data.size() - first);
        parts.push_back(network.forward(torch::from_blob(
            const_cast<float*>(data.inputs.data()) + first * data.example_size(), shape)));
    }
    return confidence_of(told_as(at::cat(parts), form), data.labels, form);
}

void add_references(const std::vector<Shadow>& shadows, const data::Dataset& examples,
                    const data::Dataset& population, const AnswerForm& form,
                    MembershipSignals& signals) {
    const auto count = static_cast<size_t>(examples.size());
    for (const Shadow& shadow : shadows) {
        if (shadow.held.size() < count) {
            throw Error(ErrorCode::kInvalid,
                        "a reference model knows a pool of fewer examples than are in question");
        }
        signals.references.push_back(confidence_of(shadow.model, examples, form));
        signals.reference_population.push_back(confidence_of(shadow.model, population, form).log_p);
        signals.held.emplace_back(shadow.held.begin(),
                                  shadow.held.begin() + static_cast<int64_t>(count));
    }
}

MembershipSignals membership_signals(const model::Model& target, const std::vector<Shadow>& shadows,
                                     const data::Dataset& examples,
                                     const data::Dataset& population) {
    MembershipSignals signals;
    signals.target = confidence_of(target, examples);
    signals.target_population = confidence_of(target, population).log_p;
    add_references(shadows, examples, population, {}, signals);
    return signals;
}

}  // namespace ward::attack
