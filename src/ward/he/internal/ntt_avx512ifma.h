#pragma once

#include "ward/he/internal/ntt.h"

namespace ward::he::internal {

void ntt_forward_avx512ifma(const NttTable& table, const uint64_t* in, uint64_t* out);
void ntt_inverse_avx512ifma(const NttTable& table, const uint64_t* in, uint64_t* out);

}  // namespace ward::he::internal
