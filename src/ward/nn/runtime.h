// Settings of the libraries underneath that can only be made before they start.
#pragma once

#include <string>

namespace ward::nn {

// To be called first in main(). Where the process would run badly it starts itself once more with a
// better environment:
//   OPENBLAS_CORETYPE  kernels that treat all rows alike, and the fast ones of AVX-512 where there
//                      is AVX-512
//   GOMP_SPINCOUNT     threads that wait give way after some 20 us. A model is hundreds of short
//                      parallel loops; on a busy machine the thread waited for does not run, and
//                      one that spins meanwhile takes its turn on the processor from it. ATen,
//                      OpenBLAS and oneDNN share this one pool of threads.
// What the user has set stays as it is. Also keeps freed memory in the process: a training step
// allocates what the last one freed. Returns in every case; failures are ignored.
void tune_process(char** argv);

// Whether linear layers and maxima over windows run in Ward's own ways (the default, where the
// processor has AVX-512) or as LibTorch does them. For benchmarks and tests.
void use_own_kernels(bool on);
bool uses_own_kernels();

// The linked BLAS, its version, kernel and threading, for `ward doctor`; "none" when there is none.
std::string blas_description();

// Version of LibTorch.
std::string torch_version();

}  // namespace ward::nn
