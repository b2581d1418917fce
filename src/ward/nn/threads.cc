#include "ward/nn/threads.h"

#include "ward/core/parallel.h"
#include "ward/nn/internal/blas.h"
#include "ward/nn/torch.h"

namespace ward::nn {

void set_threads(int threads) {
    set_num_threads(threads);
    at::set_num_threads(threads);
    set_blas_threads(threads);
}

}  // namespace ward::nn
