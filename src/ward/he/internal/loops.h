// Loops that the compiler turns into vector code by itself: written once, compiled for each
// instruction set by being inlined into a function of that set. They perform the same operations in
// the same order everywhere (contraction is off), so results are equal bit for bit.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#define WARD_LOOP __attribute__((always_inline)) inline

namespace ward::he::internal {

inline constexpr int kErrorCut = 30;  // errors are cut at this magnitude

// values: random words in, signed errors out. The magnitude is the number of thresholds that the
// upper 63 bits reach, the lowest bit is the sign.
WARD_LOOP void invert_gaussian_loop(const int64_t* thresholds, int64_t* values, size_t n) {
    constexpr size_t kLanes = 16;
    for (size_t i = 0; i < n; i += kLanes) {
        int64_t count[kLanes] = {}, uniform[kLanes];
        for (size_t j = 0; j < kLanes; ++j) {
            uniform[j] = static_cast<int64_t>(static_cast<uint64_t>(values[i + j]) >> 1);
        }
        for (int k = 0; k < kErrorCut; ++k) {
            for (size_t j = 0; j < kLanes; ++j) count[j] += uniform[j] >= thresholds[k] ? 1 : 0;
        }
        for (size_t j = 0; j < kLanes; ++j) {
            const int64_t sign = -(values[i + j] & 1);
            values[i + j] = (count[j] ^ sign) - sign;
        }
    }
}

// x mod q for |x| < q.
WARD_LOOP void small_to_residues_loop(const int64_t* x, int64_t q, uint64_t* out, size_t n) {
    for (size_t i = 0; i < n; ++i) out[i] = static_cast<uint64_t>(x[i] + (q & (x[i] >> 63)));
}

// One level of the transform between slots and coefficients, on blocks of 2 `half` values:
// u, v -> u + w v, u - w v forward, and u + v, (u - v) conj(w) back.
template <size_t kFixedHalf>
WARD_LOOP void fft_level_loop(bool inverse, size_t n, size_t variable_half, const double* w_re,
                              const double* w_im, double* re, double* im) {
    const size_t half = kFixedHalf != 0 ? kFixedHalf : variable_half;
    for (size_t block = 0; block < n; block += 2 * half) {
        double *ur = re + block, *ui = im + block, *vr = ur + half, *vi = ui + half;
        if (inverse) {
            for (size_t j = 0; j < half; ++j) {
                const double dr = ur[j] - vr[j], di = ui[j] - vi[j];
                ur[j] += vr[j];
                ui[j] += vi[j];
                vr[j] = dr * w_re[j] + di * w_im[j];
                vi[j] = di * w_re[j] - dr * w_im[j];
            }
        } else {
            for (size_t j = 0; j < half; ++j) {
                const double tr = vr[j] * w_re[j] - vi[j] * w_im[j];
                const double ti = vr[j] * w_im[j] + vi[j] * w_re[j];
                vr[j] = ur[j] - tr;
                vi[j] = ui[j] - ti;
                ur[j] += tr;
                ui[j] += ti;
            }
        }
    }
}

WARD_LOOP void fft_level_any(bool inverse, size_t n, size_t half, const double* w_re,
                             const double* w_im, double* re, double* im) {
    if (half == 1) {
        fft_level_loop<1>(inverse, n, half, w_re, w_im, re, im);
    } else if (half == 2) {
        fft_level_loop<2>(inverse, n, half, w_re, w_im, re, im);
    } else if (half == 4) {
        fft_level_loop<4>(inverse, n, half, w_re, w_im, re, im);
    } else if (inverse) {
        fft_level_loop<0>(true, n, half, w_re, w_im, re, im);
    } else {
        fft_level_loop<0>(false, n, half, w_re, w_im, re, im);
    }
}

// Nearest integers of x scale, halves away from zero; |x scale| < 2^62.
WARD_LOOP void round_scaled_loop(const double* x, double scale, int64_t* out, size_t n) {
    for (size_t i = 0; i < n; ++i) {
        const double y = x[i] * scale;
        out[i] = static_cast<int64_t>(y + std::copysign(0.5, y));
    }
}

}  // namespace ward::he::internal
