// Sweeps over one row of a descent by Adam, in single precision: slopes, moments, steps, the box.
//
// All variants (AVX-512, AVX2, baseline) give the same bits. A step is off by less than 1e-6 of the
// step size beside the same operations in exact arithmetic.
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

// slope = 2 (x - x0) - weight gradient: of the squared distance less the weighted margin.
void squared_distance_slope(const float* x, const float* x0, const float* gradient, float weight,
                            float* slope, int64_t n);

// slope = sign(x - x0) where |x - x0| > bound, less weight gradient: of the sum of what is beyond
// the bound less the weighted margin.
void excess_slope(const float* x, const float* x0, const float* gradient, float weight, float bound,
                  float* slope, int64_t n);

// x back into the box.
void clip_row(float lower, float upper, float* x, int64_t n);

}  // namespace ward::attack
