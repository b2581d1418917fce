#include "ward/dp/internal/fft.h"

#include <cmath>
#include <numbers>
#include <utility>

namespace ward::dp::internal {

// Sines and cosines of the first octant by the library, the others by symmetry.
Fft::Fft(int log2_size)
    : log2_size_(log2_size),
      size_(size_t{1} << log2_size),
      cos_(size_),
      sin_(size_),
      work_re_(size_),
      work_im_(size_) {
    const size_t n = size_;
    const auto set = [&](size_t k, double c, double s) {
        cos_[k % n] = c;
        sin_[k % n] = -s;
    };
    for (size_t k = 0; 8 * k <= n; ++k) {
        const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
        const double c = std::cos(angle), s = std::sin(angle);
        set(k, c, s);
        set(n - k, c, -s);
        if (n < 4) continue;
        set(n / 4 - k, s, c);
        set(n / 4 + k, -s, c);
        set(n / 2 - k, -c, s);
        set(n / 2 + k, -c, -s);
        set(n - n / 4 - k, -s, -c);
        set(n - n / 4 + k, s, -c);
    }
    if (n == 2) set(1, -1, 0);
}

double Fft::relative_error() const { return 5 * 0x1p-53 * (log2_size_ + 1); }

void Fft::forward(std::vector<double>& re, std::vector<double>& im) {
    double *xr = re.data(), *xi = im.data(), *yr = work_re_.data(), *yi = work_im_.data();
    size_t length = size_, stride = 1;
    for (; length >= 4; length /= 4, stride *= 4) {
        pass4(length, stride, xr, xi, yr, yi);
        std::swap(xr, yr);
        std::swap(xi, yi);
    }
    if (length == 2) {
        pass2(stride, xr, xi, yr, yi);
        std::swap(xr, yr);
    }
    if (xr != re.data()) {
        re.swap(work_re_);
        im.swap(work_im_);
    }
}

void Fft::inverse(std::vector<double>& re, std::vector<double>& im) {
    forward(im, re);
    const double scale = 1 / static_cast<double>(size_);
    for (double& x : re) x *= scale;
    for (double& x : im) x *= scale;
}

void Fft::pass4(size_t length, size_t stride, const double* xr, const double* xi, double* yr,
                double* yi) const {
    const size_t quarter = length / 4;
    const size_t step = size_ / length;
    for (size_t p = 0; p < quarter; ++p) {
        const double c1 = cos_[p * step], s1 = sin_[p * step];
        const double c2 = cos_[2 * p * step], s2 = sin_[2 * p * step];
        const double c3 = cos_[3 * p * step], s3 = sin_[3 * p * step];
        const double *ar = xr + stride * p, *ai = xi + stride * p;
        const size_t hop = stride * quarter;
        double *br = yr + 4 * stride * p, *bi = yi + 4 * stride * p;
        for (size_t q = 0; q < stride; ++q) {
            const double sum02r = ar[q] + ar[q + 2 * hop], sum02i = ai[q] + ai[q + 2 * hop];
            const double dif02r = ar[q] - ar[q + 2 * hop], dif02i = ai[q] - ai[q + 2 * hop];
            const double sum13r = ar[q + hop] + ar[q + 3 * hop];
            const double sum13i = ai[q + hop] + ai[q + 3 * hop];
            // -i times the difference
            const double dif13r = ai[q + hop] - ai[q + 3 * hop];
            const double dif13i = ar[q + 3 * hop] - ar[q + hop];
            const double t1r = dif02r + dif13r, t1i = dif02i + dif13i;
            const double t2r = sum02r - sum13r, t2i = sum02i - sum13i;
            const double t3r = dif02r - dif13r, t3i = dif02i - dif13i;
            br[q] = sum02r + sum13r;
            bi[q] = sum02i + sum13i;
            br[q + stride] = c1 * t1r - s1 * t1i;
            bi[q + stride] = c1 * t1i + s1 * t1r;
            br[q + 2 * stride] = c2 * t2r - s2 * t2i;
            bi[q + 2 * stride] = c2 * t2i + s2 * t2r;
            br[q + 3 * stride] = c3 * t3r - s3 * t3i;
            bi[q + 3 * stride] = c3 * t3i + s3 * t3r;
        }
    }
}

void Fft::pass2(size_t stride, const double* xr, const double* xi, double* yr, double* yi) const {
    for (size_t q = 0; q < stride; ++q) {
        yr[q] = xr[q] + xr[q + stride];
        yi[q] = xi[q] + xi[q + stride];
        yr[q + stride] = xr[q] - xr[q + stride];
        yi[q + stride] = xi[q] - xi[q + stride];
    }
}

}  // namespace ward::dp::internal
