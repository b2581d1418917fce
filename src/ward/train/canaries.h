// Made-up examples with a known gradient, for auditing a private run from the inside.
//
// A canary counts as one more example: it is drawn into each batch with the probability of any
// example, its gradient is clipped by the code that clips all, and summed before the noise. So
// every example, canary or not, keeps the guarantee of the plan; the model of such a run is spoilt
// all the same and not meant for use. Its gradient is zero but for one coordinate ("Dirac canary":
// Nasr, Hayes, Steinke, Balle, Tramer, Jagielski, Carlini, Terzis, "Tight Auditing of
// Differentially Private Machine Learning", USENIX Security 2023, section 4), so canaries in
// different coordinates do not touch one another.
//
// For audits by `attack/privacy_audit.h`; no command reaches it. CPU only.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace ward::train {

struct DiracCanary {
    int64_t coordinate = 0;  // of all trainable parameters, one behind the other
    double value = 0;        // before clipping
};

struct GradientCanaries {
    std::vector<DiracCanary> inserted;

    // Where the auditor looks. The adversary of the proof knows all examples but one, so he is told
    // what the examples give there, before canaries and noise: his own arithmetic could say it.
    std::vector<int64_t> watched;

    // Called with what a step releases (the noisy sum over the expected batch size, as the
    // optimiser gets it) and what the examples gave to the sum in the watched coordinates. The
    // tensors are only valid during the call.
    std::function<void(int64_t step, const std::vector<at::Tensor>& released,
                       const std::vector<double>& examples)>
        observe;
};

}  // namespace ward::train
