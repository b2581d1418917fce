// The text format of LIBSVM, SVMlight and XGBoost: one example a line, `label index:value ...`,
// with indices from 1 that rise, what is not named is 0, and `#` begins a comment.
//
// Threat: the text is untrusted; the dense size is checked before it is allocated.
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ward/data/array.h"

namespace ward::data {

inline constexpr size_t kMaxDenseBytes = size_t{4} << 30;

struct LibsvmData {
    Array features;                        // f32, {rows, features}
    std::vector<int64_t> labels;           // index into class_names
    std::vector<std::string> class_names;  // the labels as numbers, in rising order: -1, 1
};

// `features`: how many there are; 0: as many as the highest index. Throws Error kInvalid with file,
// line, what was expected and what was there (also for an index beyond `features`).
LibsvmData parse_libsvm(std::string_view text, const std::string& source, int64_t features = 0);
LibsvmData read_libsvm(const std::string& path, int64_t features = 0);  // .gz too

}  // namespace ward::data
