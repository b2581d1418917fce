#include "ward/he/internal/embedding.h"

#include <cmath>
#include <numbers>
#include <utility>

#include "ward/he/internal/kernels.h"

namespace ward::he::internal {

Embedding::Embedding(int log_slots)
    : log_slots_(log_slots), roots_re_(slots() * 2), roots_im_(slots() * 2) {
    for (size_t half = 1; half < slots(); half *= 2) {
        const size_t order = 8 * half;
        size_t power = 1;  // 5^j modulo the order
        for (size_t j = 0; j < half; ++j, power = power * 5 % order) {
            const long double angle = 2 * std::numbers::pi_v<long double> *
                                      static_cast<long double>(power) /
                                      static_cast<long double>(order);
            roots_re_[half + j] = static_cast<double>(std::cos(angle));
            roots_im_[half + j] = static_cast<double>(std::sin(angle));
        }
    }
}

void Embedding::reverse(std::span<double> values) const {
    const size_t n = slots();
    for (size_t i = 1, j = 0; i < n; ++i) {
        size_t bit = n >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) std::swap(values[i], values[j]);
    }
}

void Embedding::to_coefficients(std::span<double> re, std::span<double> im) const {
    const size_t n = slots();
    for (size_t half = n / 2; half >= 1; half /= 2) {
        kernels().fft_level(true, n, half, &roots_re_[half], &roots_im_[half], re.data(),
                            im.data());
    }
    reverse(re);
    reverse(im);
    const double scale = 1.0 / static_cast<double>(n);
    for (size_t i = 0; i < n; ++i) {
        re[i] *= scale;
        im[i] *= scale;
    }
}

void Embedding::to_slots(std::span<double> re, std::span<double> im) const {
    const size_t n = slots();
    reverse(re);
    reverse(im);
    for (size_t half = 1; half < n; half *= 2) {
        kernels().fft_level(false, n, half, &roots_re_[half], &roots_im_[half], re.data(),
                            im.data());
    }
}

}  // namespace ward::he::internal
