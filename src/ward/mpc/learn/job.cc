#include "ward/mpc/learn/job.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <optional>
#include <random>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/learn/checkpoint_resume.h"
#include "ward/mpc/learn/internal/batches.h"
#include "ward/mpc/share.h"

namespace ward::mpc {
namespace {

constexpr size_t kScoredRows = 256;  // at a time, which bounds the memory

void require_fit(const TrainingJob& job, const data::Dataset* data) {
    if (data == nullptr) throw Error(ErrorCode::kUsage, "an owner must give its data");
    const auto features = static_cast<int64_t>(job.shape.inputs());
    if (data->size() == static_cast<int64_t>(job.examples) && data->example_size() == features) {
        return;
    }
    throw Error(ErrorCode::kUsage,
                "data set \"" + data->name + "\" has " + std::to_string(data->size()) +
                    " examples of " + std::to_string(data->example_size()) + ", the job has " +
                    std::to_string(job.examples) + " of " + std::to_string(features));
}

RingMatrix input_rows(const data::Dataset& data, std::span<const size_t> rows,
                      const TrainingJob& job) {
    const size_t features = job.shape.inputs();
    std::vector<float> values(rows.size() * features);
    for (size_t i = 0; i < rows.size(); ++i) {
        std::copy_n(&data.inputs[rows[i] * features], features, &values[i * features]);
    }
    if (job.options.clipping_norm > 0) {
        const auto bound = static_cast<float>(kMaxPrivateInput);
        for (float& value : values) {
            if (!std::isnan(value))
                value = std::clamp(value, -bound, bound);  // NaN is refused below
        }
    }
    return encode(values, rows.size(), features, data.name);
}

RingMatrix label_rows(const data::Dataset& data, std::span<const size_t> rows, size_t outputs) {
    RingMatrix out(rows.size(), outputs);
    std::fill(out.values.begin(), out.values.end(), Ring{0});
    const Ring one = encode_constant(1);
    for (size_t i = 0; i < rows.size(); ++i) {
        const auto label = static_cast<size_t>(data.labels.at(rows[i]));
        if (outputs == 1) {
            out.values[i] = label * one;
        } else if (label < outputs) {
            out.values[i * outputs + label] = one;
        } else {
            throw Error(ErrorCode::kInvalid, data.name + ": label " + std::to_string(label) +
                                                 " in row " + std::to_string(rows[i]) +
                                                 ", expected one below " + std::to_string(outputs));
        }
    }
    return out;
}

// A text that differs for different numbers.
std::string exact(double value) {
    char text[40];
    std::snprintf(text, sizeof(text), "%.17g", value);
    return text;
}

}  // namespace

namespace internal {

std::vector<size_t> order_of_epoch(const TrainingJob& job, int epoch) {
    std::vector<size_t> order(job.examples);
    std::iota(order.begin(), order.end(), size_t{0});
    std::mt19937_64 generator(job.order_seed * 1'000'003 + static_cast<uint64_t>(epoch));
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[generator() % i]);
    return order;
}

}  // namespace internal

std::string TrainingJob::digest() const {
    std::string text = "ward mpc training job 3|" + protocol;
    text += shape.text() + "|batch " + std::to_string(options.batch_size) + "|rate " +
            std::to_string(encode_constant(options.learning_rate)) + "|momentum " +
            std::to_string(encode_constant(options.momentum)) + "|epochs " +
            std::to_string(epochs) + "|decay " + std::to_string(encode_constant(decay)) +
            "|order " + std::to_string(order_seed) + "|examples " + std::to_string(examples) +
            "|owners " + std::to_string(input_owner) + " " + std::to_string(label_owner) +
            "|loss " + std::to_string(static_cast<int>(options.loss)) + "|optimizer " +
            std::to_string(static_cast<int>(options.optimizer)) + " " +
            exact(options.second_momentum) + "|privacy " + exact(options.clipping_norm) + " " +
            exact(options.noise_multiplier) + " " + exact(delta);
    return sha256_hex(text);
}

JobResult train(Party& party, const TrainingJob& job, const NetworkWeights& initial,
                const data::Dataset* data, const std::function<void(int)>& after_epoch,
                const Checkpointing* checkpointing) {
    const bool has_inputs = party.index() == job.input_owner;
    const bool has_labels = party.index() == job.label_owner;
    if (has_inputs || has_labels) require_fit(job, data);
    const size_t features = job.shape.inputs(), outputs = job.shape.outputs();
    const auto start = std::chrono::steady_clock::now();
    const net::Traffic before = party.ledger().total();
    Network network(party, job.shape, initial, job.options);
    std::optional<Resumption> resumption;
    if (checkpointing != nullptr) {
        resumption.emplace(party, checkpointing->place, checkpointing->every_steps, job,
                           has_inputs || has_labels ? data->digest : std::string());
        resumption->restore();
    }
    internal::for_batches_on_shares(
        job, network, resumption ? &*resumption : nullptr, after_epoch,
        [&](std::span<const size_t> rows) {
            RingMatrix x, y;
            if (has_inputs) x = input_rows(*data, rows, job);
            if (has_labels) y = label_rows(*data, rows, outputs);
            const SharedMatrix inputs =
                share(party, job.input_owner, has_inputs ? &x : nullptr, rows.size(), features);
            const SharedMatrix labels =
                share(party, job.label_owner, has_labels ? &y : nullptr, rows.size(), outputs);
            network.train_step(inputs, labels);
        });
    JobResult out;
    out.network = network.reveal(party);
    out.traffic = party.ledger().total() - before;
    out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return out;
}

NetworkWeights draw_initial_weights(Party& party, const NetworkShape& shape) {
    const net::TrafficLedger::Scope scope(party.ledger(), "initial");
    NetworkWeights out = initial_weights(shape, party.random());
    RingMatrix all(1, 0);
    for (const RingMatrix& w : out.weights) {
        all.values.insert(all.values.end(), w.values.begin(), w.values.end());
    }
    all.cols = all.values.size();
    const bool own = party.index() == 0;
    all = open(party, share(party, 0, own ? &all : nullptr, 1, all.cols));
    const Ring* next = all.values.data();
    for (RingMatrix& w : out.weights) {
        std::copy_n(next, w.size(), w.values.begin());
        next += w.size();
    }
    return out;
}

NetworkWeights train_twin(Twin& twin, const TrainingJob& job, const NetworkWeights& initial,
                          const data::Dataset& data) {
    require_fit(job, &data);
    TwinNetwork network(twin, job.shape, initial, job.options);
    internal::for_batches(job, network, 0, nullptr, [&](uint64_t, std::span<const size_t> rows) {
        network.train_step(input_rows(data, rows, job),
                           label_rows(data, rows, job.shape.outputs()));
    });
    return {job.shape, network.weights(), network.biases()};
}

double accuracy(const NetworkWeights& network, const data::Dataset& data) {
    const size_t rows = static_cast<size_t>(data.size()), outputs = network.shape.outputs();
    const size_t features = network.shape.inputs();
    size_t right = 0;
    for (size_t begin = 0; begin < rows; begin += kScoredRows) {
        const size_t count = std::min(kScoredRows, rows - begin);
        const auto first = data.inputs.begin() + static_cast<std::ptrdiff_t>(begin * features);
        const std::vector<double> inputs(first,
                                         first + static_cast<std::ptrdiff_t>(count * features));
        const std::vector<double> scores = plain_scores(network, inputs, count);
        for (size_t r = 0; r < count; ++r) {
            const double* row = &scores[r * outputs];
            const auto best = outputs == 1 ? static_cast<int64_t>(row[0] > 0)
                                           : std::max_element(row, row + outputs) - row;
            right += best == data.labels[begin + r] ? 1 : 0;
        }
    }
    return static_cast<double>(right) / static_cast<double>(rows);
}

}  // namespace ward::mpc
