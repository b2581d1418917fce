// Fast Fourier transform of complex sequences whose length is a power of two (Stockham autosort,
// radix 4, split real and imaginary parts), with the rounding bound that dp/pld needs.
#pragma once

#include <cstddef>
#include <vector>

namespace ward::dp::internal {

class Fft {
  public:
    explicit Fft(int log2_size);

    size_t size() const { return size_; }

    // In place: X_k = sum over j of x_j exp(-2 pi i j k / n).
    void forward(std::vector<double>& re, std::vector<double>& im);
    // The inverse, with the factor 1 / n.
    void inverse(std::vector<double>& re, std::vector<double>& im);

    // |computed - exact| <= this * sum of |x_j|, for every output of `forward`; and in root of
    // squares, <= this * that of the exact output, for both directions. Each output is a sum of
    // inputs that pass log2 n butterflies; each butterfly perturbs by at most 5 units of roundoff:
    // twiddle 1, product sqrt(5), sum 1 (Higham, Accuracy and Stability, section 24.1).
    double relative_error() const;

  private:
    void pass4(size_t length, size_t stride, const double* xr, const double* xi, double* yr,
               double* yi) const;
    void pass2(size_t stride, const double* xr, const double* xi, double* yr, double* yi) const;

    int log2_size_;
    size_t size_;
    std::vector<double> cos_, sin_;  // exp(-2 pi i k / n) for k < n
    std::vector<double> work_re_, work_im_;
};

}  // namespace ward::dp::internal
