// Everything a stopped run needs to go on exactly: weights, averages, optimiser state, position and
// plan. One safetensors file, replaced atomically; format in docs/formats/checkpoint.md. It holds
// no key and no random state: noise and samples of later steps are drawn afresh.
//
// Threat: a checkpoint holds weights of the middle of a run, which the guarantee covers only as a
// way to the model at its end: only the owner may read the file, and a finished run removes it. Two
// models finished from copies of one checkpoint are two releases; resumes are counted, so that the
// model's record shows them. Files are untrusted: a checkpoint that does not fit its run is
// refused. Whoever could change the position in a file could make a run take steps again that are
// already spent: a seal over position, plan and run tells (`seal` below).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace ward::train {

struct Checkpoint {
    std::string
        run_digest;  // SHA-256 over data digest, model spec and every option that shapes the result
    std::string plan_json;  // empty for a non-private run
    int64_t steps_done = 0;
    int64_t optimizer_steps = 0;
    double clipping_norm = 0;
    std::string curve_json;
    std::vector<int64_t> resumed_at;  // the steps from which the run has gone on so far
    std::map<std::string, at::Tensor> weights, averages, optimizer_state;
};

// A message authentication code under a key that stays with the user; empty: files are not sealed.
using Seal = std::function<std::string(const std::string& message)>;

void save_checkpoint(const Checkpoint& checkpoint, const std::string& path, const Seal& seal = {});

// Throws Error kNotFound, kCorrupt (also where the seal does not fit) or kUnsupported.
Checkpoint load_checkpoint(const std::string& path, const Seal& seal = {});

}  // namespace ward::train
