// Threads of everything that computes: ATen, the BLAS behind it, and Ward's own loops.
#pragma once

namespace ward::nn {

// For the whole process. Throws Error kUsage unless 1 <= threads <= 1024.
void set_threads(int threads);

}  // namespace ward::nn
