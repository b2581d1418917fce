// Group normalisation (Wu, He, ECCV 2018) on shares and in the clear: values of each row and group
// of channels are brought to mean 0 and variance 1, then scaled and moved by channel.
//
// 1 / sqrt(variance + epsilon) is `inverse_root` (functions.h) with epsilon of at least 2^-13, one
// for each row and group; the rest are sums, which are local, and products. Variances must be below
// 2^13. 36 rounds forward and 16 back; 20 bytes per value and party forward and 30 back (with the
// factors of the channels), and some 600 per row and group.
//
// Thread safety and security: as functions.h; verified with Security::kMalicious.
#pragma once

#include "ward/mpc/learn/shape.h"
#include "ward/mpc/learn/twin.h"

namespace ward::mpc {

// What the way back needs: (value - mean) * inverse, and inverse, one per row and group.
template <typename Matrix>
struct Normalised {
    Matrix values;   // as the input
    Matrix inverse;  // (rows * groups) x 1
};

// x: rows x image with channels last.
template <typename World, typename Matrix>
Normalised<Matrix> group_norm(World& world, const NetworkStep& step, const Matrix& x);

// The derivative by the input of `group_norm` from that by its output.
template <typename World, typename Matrix>
Matrix group_norm_back(World& world, const NetworkStep& step, const Normalised<Matrix>& forward,
                       const Matrix& gradient);

}  // namespace ward::mpc
