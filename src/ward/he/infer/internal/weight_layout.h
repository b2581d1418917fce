// Where encrypted weights lie (encrypted_weights.h): it follows from shapes and activations alone.
#pragma once

#include <map>
#include <vector>

#include "ward/he/infer/encrypted_weights.h"

namespace ward::he::internal {

// Fills in packings, blocks, numbers of ciphertexts and levels. False when slots are too few.
bool lay_out(std::vector<WeightStage>& stages, int slots);

// Steps, and the highest level they are used at.
std::map<int, int> rotations_of(const std::vector<WeightStage>& stages, int slots);

}  // namespace ward::he::internal
