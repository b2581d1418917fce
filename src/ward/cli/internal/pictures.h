// Images as pictures for a gallery.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "ward/audit/gallery.h"

namespace ward::cli {

// x {channels, height, width} with 1 or 3 channels (others: the first one) and values in
// [lower, upper].
audit::Picture picture_of(const at::Tensor& x, double lower, double upper,
                          const std::string& caption);

}  // namespace ward::cli
