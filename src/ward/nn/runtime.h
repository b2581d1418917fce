// Settings of the libraries underneath that can only be made before they start.
#pragma once

#include <string>

namespace ward::nn {

// To be called first in main(). Where the process would run badly it starts itself once more with a
// better environment:
//   OPENBLAS_CORETYPE  old OpenBLAS takes new AVX-512 processors for Haswells (products 1.8x
//   slower) GOMP_SPINCOUNT     waiting OpenMP threads give way soon, so that a busy machine is not
//   slowed tenfold
// What the user has set stays as it is. Also keeps freed memory in the process: a training step
// allocates what the last one freed. Returns in every case; failures are ignored.
void tune_process(char** argv);

// The linked BLAS, its version, kernel and threading, for `ward doctor`; "none" when there is none.
std::string blas_description();

// Version of LibTorch.
std::string torch_version();

}  // namespace ward::nn
