// Where the units of a layer lie in the slots of one ciphertext, and what a sparse matrix between
// two such layouts takes.
//
// A matrix is applied as a sum of diagonals times rotations (LinearTransform), then perhaps folded:
// rotated and added to itself. Two ways to place the results are tried for each stage:
//
//   fold  rows lie `window` apart blocks: the sum of a row is split over period / window slots,
//   each
//         of which sees `window` neighbouring slots of the input, and folding adds them (the
//         rectangular method of Juvekar, Vaikuntanathan and Chandrakasan, ia.cr/2018/073, with the
//         copies of a short input put to work on other rows);
//   grid  results of a convolution stay at the places of the image, stride after stride further
//         apart, and channels fill the gaps (the multiplexed packing of Lee et al.,
//         ia.cr/2021/1688): one diagonal for each offset of the kernel.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "ward/he/infer/network.h"

namespace ward::he::internal {

// Unit u lies in slots slot[u] + k period for all k.
struct Layout {
    int period = 1;
    std::vector<int> slot;
    // Images: slots between rows and columns of the first image of the network, and how far the
    // pixels of this one are spread. 0: not an image.
    int base_row = 0, dilation = 0;
    int plane = 0;  // slots of one image of the network's first size, a power of two
};

Layout input_layout(const Network& network);

// How one stage is computed.
struct StageLayout {
    enum class Kind { kFold, kGrid };
    Kind kind = Kind::kFold;
    int window = 0;          // fold: a power of two
    std::vector<int> pools;  // rotations to be added before, one after the other
    std::vector<int> folds;  // and behind
    int matrix_period = 1;   // of the diagonals
    Layout output;
    std::vector<int> diagonals;  // numbers of those that hold something
};

// All that are possible in this many slots.
std::vector<StageLayout> candidates(const Stage& stage, const Layout& input, int slots);

// The numbers on the diagonals: at place s, what slot s + k of the input is multiplied with.
std::map<int, std::vector<double>> fill_diagonals(const Stage& stage, const Layout& input,
                                                  const StageLayout& how);

// For a matrix between two layouts that are given: all rotations it takes, no folds. The places of
// a diagonal are as many as the larger period.
std::map<int, std::vector<double>> direct_diagonals(const SparseMatrix& matrix, const Layout& input,
                                                    const Layout& output);

// Values per unit at their slots; other slots are 0.
std::vector<double> place(const Layout& layout, std::span<const double> values);

}  // namespace ward::he::internal
