// The public order of a job's batches.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ward/core/error.h"
#include "ward/mpc/learn/checkpoint_resume.h"
#include "ward/mpc/learn/job.h"

namespace ward::mpc::internal {

// A public order (Fisher-Yates); the generator is fixed by the C++ standard.
std::vector<size_t> order_of_epoch(const TrainingJob& job, int epoch);

// Calls step(number, rows) for every whole batch of every epoch, from step `first` on.
template <typename AnyNetwork, typename Step>
void for_batches(const TrainingJob& job, AnyNetwork& network, uint64_t first,
                 const std::function<void(int)>& after_epoch, Step step) {
    const size_t batch = job.options.batch_size;
    if (batch < 1 || batch > job.examples) {
        throw Error(ErrorCode::kInvalid,
                    "the batch size must be between 1 and the " + std::to_string(job.examples) +
                        " examples, got " + std::to_string(batch),
                    "change batch_size in the job");
    }
    uint64_t number = 0;
    for (int epoch = 0; epoch < job.epochs; ++epoch) {
        network.set_learning_rate(job.options.learning_rate * std::pow(job.decay, epoch));
        const std::vector<size_t> order = order_of_epoch(job, epoch);
        for (size_t at = 0; at + batch <= order.size(); at += batch, ++number) {
            if (number >= first) step(number, std::span<const size_t>(order).subspan(at, batch));
        }
        if (after_epoch && number > first) after_epoch(epoch + 1);
    }
}

// The same on shares: step(rows), with the state saved in between.
template <typename Step>
void for_batches_on_shares(const TrainingJob& job, Network& network, Resumption* resumption,
                           const std::function<void(int)>& after_epoch, Step step) {
    const uint64_t first = resumption ? resumption->begin_steps(network) : 0;
    uint64_t done = first;
    for_batches(job, network, first, after_epoch,
                [&](uint64_t number, std::span<const size_t> rows) {
                    if (resumption) resumption->begin_step(number);
                    step(rows);
                    done = number + 1;
                    if (resumption) resumption->end_step(done, network);
                });
    if (resumption) resumption->begin_step(done);
}

}  // namespace ward::mpc::internal
