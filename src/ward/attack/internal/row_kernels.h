// Arithmetic on one perturbed example, a row of floats: steps, projections, hyperplanes.
//
// Each is one or few sweeps over the row; the projections find the multiplier of their constraint
// by a Newton iteration on a piecewise linear function, which ends after few sweeps at the exact
// solution, without sorting.
#pragma once

#include <cstdint>

#include "ward/attack/norm.h"

namespace ward::attack {

struct Ball {
    Norm norm = Norm::kLinf;
    float epsilon = 0;
    float lower = 0, upper = 1;  // the box
};

double row_norm(const float* x, int64_t n, Norm norm);
double row_distance(const float* a, const float* b, int64_t n, Norm norm);

// The point of box and ball nearest to x (Linf, L1), or for L2 on the ball, then on the box, as is
// usual. `center` lies in the box. L1: Croce and Hein 2021, "Mind the box", proposition 2.1.
void project(const Ball& ball, const float* center, float* x, int64_t n);

// out = project(x + step * direction), where direction is the steepest one of unit norm for this
// gradient: its sign (Linf), gradient over its norm (L2), the sign of the largest `sparsity` of its
// entries over their number (L1). `out` may be `x`.
void ascend(const Ball& ball, const float* center, const float* x, const float* gradient,
            float step, double sparsity, float* out, int64_t n);

// The least d in this norm with w . (x + d) = b and x + d in the box; where there is none, the d
// that comes nearest to the hyperplane.
void project_on_plane(const Ball& ball, const float* x, const float* w, double b, float* d,
                      int64_t n);

// point = x + scale * point, in the box: from a direction to a point that far along it.
void probe(const Ball& ball, const float* x, float scale, float* point, int64_t n);

// sum += a - b.
void add_difference(const float* a, const float* b, float* sum, int64_t n);

double dot(const float* a, const float* b, int64_t n);

}  // namespace ward::attack
