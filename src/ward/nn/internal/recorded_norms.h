// Normalisation layers that write the per-example gradients of their scale and shift to the tape
// while the backward pass has their inputs at hand. Numbers as in at::group_norm and
// at::layer_norm.
#pragma once

#include "ward/nn/tape.h"
#include "ward/nn/torch.h"

namespace ward::nn {

// Parameters of a normalisation layer, and where the tape files their gradients (-1: frozen).
struct NormParameters {
    at::Tensor scale, shift;
    int scale_index = -1, shift_index = -1;
};

// x {B, C, ...}: over `groups` groups of channels.
at::Tensor recorded_group_norm(const at::Tensor& x, const NormParameters& parameters,
                               int64_t groups, double epsilon, Tape& tape);

// x {B, ..., F}: over the last dimension.
at::Tensor recorded_layer_norm(const at::Tensor& x, const NormParameters& parameters,
                               double epsilon, Tape& tape);

// y = normalised * scale over the last dimension; the gradient of `scale` goes to the tape.
at::Tensor recorded_scale(const at::Tensor& normalised, const NormParameters& parameters,
                          Tape& tape);

}  // namespace ward::nn
