// The transform between slots and coefficients (embedding.h) as a product of sparse matrices.
//
// Coefficients stand in the order of bit-reversed indices, which needs no matrix. Functions only.
#pragma once

#include <complex>
#include <map>
#include <vector>

namespace ward::he::internal {

// Diagonal k holds at place i what the result's place i gets from place i + k.
using SparseDiagonals = std::map<int, std::vector<std::complex<double>>>;

SparseDiagonals product(const SparseDiagonals& after, const SparseDiagonals& before, int period);

// n = 2^log_slots complex slots to n complex numbers c_j + i c_{n+j}, as `groups` matrices in the
// order in which they are applied. The whole is multiplied with `factor`, spread evenly.
std::vector<SparseDiagonals> slots_to_coefficients_factors(int log_slots, int groups,
                                                           double factor);
std::vector<SparseDiagonals> coefficients_to_slots_factors(int log_slots, int groups,
                                                           double factor);

}  // namespace ward::he::internal
