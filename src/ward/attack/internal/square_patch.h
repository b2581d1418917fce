// The proposals of the Square attack for one example.
#pragma once

#include <cstdint>

#include "ward/attack/internal/rows.h"

namespace ward::attack {

struct PatchGeometry {
    int64_t channels, height, width;
};

// What a proposal may have changed: rows and columns, all channels.
struct PatchWindow {
    int64_t top, left, height, width;
};

// Linf: vertical stripes of +-epsilon; L2 and L1: a 5 x 5 grid of bumps on the
// edge of the ball.
void first_pattern(const Ball& ball, const PatchGeometry& geometry, const float* center,
                   Generator& generator, float* x);

// Writes a neighbour of `best` into `x`, which must equal `best`; `share` of the pixels of each
// channel take part.
PatchWindow propose(const Ball& ball, const PatchGeometry& geometry, double share,
                    const float* center, const float* best, Generator& generator, float* x);

void copy_window(const PatchGeometry& geometry, const PatchWindow& window, const float* from,
                 float* to);

}  // namespace ward::attack
