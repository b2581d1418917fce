// Sweeps over one row of a descent by Adam, in single precision: moments, steps, a box undone by
// tanh.
//
// All variants (AVX-512, AVX2, baseline) give the same bits. Beside the same operations in exact
// arithmetic: inputs of the tanh are off by at most 2e-7 of the width of the box, their derivatives
// by 2e-6 of their own size, a step by 1e-6 of the step size.
#pragma once

#include <cstdint>

namespace ward::attack {

// What a step of Adam (Kingma and Ba 2015, algorithm 1) needs beside the slopes.
struct AdamRates {
    AdamRates(double rate, int64_t step);  // step counts from 1

    float rate;            // over the bias of the mean
    float root_of_unbias;  // of the mean square: sqrt(1 / (1 - beta2^step))
};

// to[j] += the step down the slope; `mean` and `square` are the moments.
void adam_move(const AdamRates& rates, const float* slope, float* mean, float* square, float* to,
               int64_t n);

// x = lower + width / (1 + exp(-2 w)), which is the box's half times (tanh(w) + 1) above its lower
// edge, and steep = dx / dw.
void tanh_inputs(const float* w, float lower, float width, float* x, float* steep, int64_t n);

// slope = steep (2 (x - x0) - weight gradient): of the squared distance less the weighted margin.
void squared_distance_slope(const float* x, const float* x0, const float* gradient, float weight,
                            const float* steep, float* slope, int64_t n);

// slope = sign(x - x0) where |x - x0| > bound, less weight gradient: of the sum of what is beyond
// the bound less the weighted margin.
void excess_slope(const float* x, const float* x0, const float* gradient, float weight, float bound,
                  float* slope, int64_t n);

// x back into the box.
void clip_row(float lower, float upper, float* x, int64_t n);

}  // namespace ward::attack
