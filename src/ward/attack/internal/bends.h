// Where a function that is linear in pieces bends along a line.
//
// Jagielski, Carlini, Berthelot, Kurakin, Papernot: High Accuracy and High Fidelity Extraction of
// Neural Networks (USENIX Security 2020), section 5.2.1: where the slopes at both ends of an
// interval predict a value that the function takes at their meeting point, there is one bend and it
// is that point; else the interval is cut in two. Each level of the search is one batch of queries.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "ward/attack/exact_extraction.h"

namespace ward::attack {

struct Bend {
    double place = 0;          // t
    std::vector<double> jump;  // of the slope, per output
    double room = 0;           // distance to the next bend or to the end of the search
};

// All bends of t -> f(u + t v) for |t| <= range, increasing, but for those that lie closer together
// than float64 can tell. u, v {inputs} float64.
std::vector<Bend> bends_on_line(const ExactOracle& oracle, const at::Tensor& u, const at::Tensor& v,
                                double range);

}  // namespace ward::attack
