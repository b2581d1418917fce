#include "ward/mpc/learn/forecast.h"

#include <algorithm>
#include <array>

#include "ward/mpc/local.h"

namespace ward::mpc {
namespace {

constexpr uint64_t kPeriod = 3;

struct Cost {
    std::array<double, 3> bytes{};
    double rounds = 0;
    double seconds = 0;
};

data::Dataset zeros_for(const TrainingJob& job) {
    data::Dataset out;
    out.name = "forecast";
    out.example_shape = {static_cast<int64_t>(job.shape.inputs())};
    out.inputs.assign(job.examples * job.shape.inputs(), 0);
    out.labels.assign(job.examples, 0);
    return out;
}

Cost cost_of(TrainingJob job, uint64_t steps, const PartyOptions& options) {
    job.examples = steps * job.options.batch_size;
    job.epochs = 1;
    const data::Dataset zeros = zeros_for(job);
    const NetworkWeights initial = zero_weights(job.shape);
    std::array<JobResult, 3> results;
    run_local(
        [&](Party& party) {
            results[static_cast<size_t>(party.index())] = train(party, job, initial, &zeros);
        },
        options);
    Cost out;
    for (size_t i = 0; i < 3; ++i) {
        out.bytes[i] = static_cast<double>(results[i].traffic.bytes_sent);
        out.seconds = std::max(out.seconds, results[i].seconds);
    }
    out.rounds = static_cast<double>(results[0].traffic.rounds);
    return out;
}

}  // namespace

double Forecast::seconds(const LinkSpeed& link) const {
    const double wire = link.bytes_per_second > 0 ? bytes_max_party / link.bytes_per_second : 0;
    return compute_seconds + rounds * link.round_trip_seconds / 2 + wire;
}

Forecast forecast(const TrainingJob& job, const PartyOptions& options) {
    const size_t batch = std::max<size_t>(job.options.batch_size, 1);
    Forecast out;
    out.steps = static_cast<uint64_t>(job.epochs) * (job.examples / batch);
    const Cost few = cost_of(job, kPeriod, options), more = cost_of(job, 2 * kPeriod, options);
    const double periods = static_cast<double>(out.steps) / kPeriod - 1;  // behind the first one
    const auto at = [periods](double first, double second) {
        return first + (second - first) * periods;
    };
    for (size_t i = 0; i < 3; ++i) {
        const double bytes = at(few.bytes[i], more.bytes[i]);
        out.bytes_per_party += bytes / 3;
        out.bytes_max_party = std::max(out.bytes_max_party, bytes);
    }
    out.rounds = at(few.rounds, more.rounds);
    out.compute_seconds = std::max(0.0, at(few.seconds, more.seconds));
    return out;
}

}  // namespace ward::mpc
