#include "ward/nn/internal/blas.h"

#include "ward/core/cpu.h"
#include "ward/core/error.h"

#ifdef WARD_HAS_ONEDNN
#include <dnnl.h>
#endif
#ifdef WARD_HAS_OPENBLAS
#include <cblas-openblas.h>
#endif

namespace ward::nn {

#ifdef WARD_HAS_OPENBLAS

bool has_per_thread_blas() { return true; }

// An OpenBLAS built on OpenMP keeps to one thread inside a parallel region by itself.
SingleThreadBlas::SingleThreadBlas() : before_(openblas_get_num_threads()) {
    if (openblas_get_parallel() != OPENBLAS_OPENMP) openblas_set_num_threads(1);
}
SingleThreadBlas::~SingleThreadBlas() {
    if (openblas_get_parallel() != OPENBLAS_OPENMP) openblas_set_num_threads(before_);
}

// Smaller products wait longer for oneDNN to start than they take.
[[maybe_unused]] constexpr int64_t kLeastForOneDnn = 1 << 20;

void multiply(int64_t m, int64_t n, int64_t k, MatrixView a, MatrixView b, float beta, float* c,
              int64_t c_stride) {
#ifdef WARD_HAS_ONEDNN
    static const bool avx512 = cpu_features().avx512;
    if (avx512 && m * n * k >= kLeastForOneDnn) {
        dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, 1.0f, a.data,
                   a.row_stride, b.data, b.row_stride, beta, c, c_stride);
        return;
    }
#endif
    const auto order = [](const MatrixView& view) {
        return view.transposed ? CblasTrans : CblasNoTrans;
    };
    cblas_sgemm(CblasRowMajor, order(a), order(b), static_cast<blasint>(m), static_cast<blasint>(n),
                static_cast<blasint>(k), 1.0f, a.data, static_cast<blasint>(a.row_stride), b.data,
                static_cast<blasint>(b.row_stride), beta, c, static_cast<blasint>(c_stride));
}

void gram(int64_t n, int64_t k, MatrixView a, float* c) {
    cblas_ssyrk(CblasRowMajor, CblasUpper, a.transposed ? CblasTrans : CblasNoTrans,
                static_cast<blasint>(n), static_cast<blasint>(k), 1.0f, a.data,
                static_cast<blasint>(a.row_stride), 0.0f, c, static_cast<blasint>(n));
}

void set_blas_threads(int threads) { openblas_set_num_threads(threads); }

std::string describe_blas() {
    const std::string config = openblas_get_config();  // "OpenBLAS 0.3.21 NO_LAPACKE ..."
    const char* threading = openblas_get_parallel() == OPENBLAS_OPENMP   ? "OpenMP"
                            : openblas_get_parallel() == OPENBLAS_THREAD ? "pthreads"
                                                                         : "sequential";
    const size_t version_end = config.find(' ', config.find(' ') + 1);
    return config.substr(0, version_end) + " " + openblas_get_corename() + ", " + threading;
}

#else

bool has_per_thread_blas() { return false; }
SingleThreadBlas::SingleThreadBlas() = default;
SingleThreadBlas::~SingleThreadBlas() = default;

void multiply(int64_t, int64_t, int64_t, MatrixView, MatrixView, float, float*, int64_t) {
    throw Error(ErrorCode::kInternal, "no CBLAS is linked");
}
void gram(int64_t, int64_t, MatrixView, float*) {
    throw Error(ErrorCode::kInternal, "no CBLAS is linked");
}
void set_blas_threads(int) {}
std::string describe_blas() { return "none"; }

#endif

}  // namespace ward::nn
