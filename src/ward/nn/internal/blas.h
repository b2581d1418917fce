// Single-precision matrix products on one thread, for use inside at::parallel_for.
#pragma once

#include <cstdint>
#include <string>

namespace ward::nn {

// True when a CBLAS is linked whose calls can be kept on the calling thread. Otherwise rules use
// ATen.
bool has_per_thread_blas();

// While one lives, CBLAS calls run on the calling thread alone.
class SingleThreadBlas {
  public:
    SingleThreadBlas();
    ~SingleThreadBlas();
    SingleThreadBlas(const SingleThreadBlas&) = delete;
    SingleThreadBlas& operator=(const SingleThreadBlas&) = delete;

  private:
    int before_ = 1;
};

// Row-major C {m, n} = beta C + op(A) op(B); op(A) is {m, k}, `transposed_a`: A is stored {k, m}.
struct MatrixView {
    const float* data;
    int64_t row_stride;
    bool transposed;
};
void multiply(int64_t m, int64_t n, int64_t k, MatrixView a, MatrixView b, float beta, float* c,
              int64_t c_stride);

// Upper triangle of the row-major C {n, n} = op(A) op(A)^T, op(A) {n, k}.
void gram(int64_t n, int64_t k, MatrixView a, float* c);

// "OpenBLAS 0.3.21 SkylakeX, OpenMP", or "none".
std::string describe_blas();

// Threads of the linked BLAS for its own products (the large ones ATen asks for).
void set_blas_threads(int threads);

}  // namespace ward::nn
