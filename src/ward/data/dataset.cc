#include "ward/data/dataset.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>

#include "ward/core/error.h"

namespace ward::data {
namespace {

template <typename T>
std::vector<T> gather(const std::vector<T>& source, const std::vector<int64_t>& rows,
                      int64_t width) {
    std::vector<T> out;
    if (source.empty()) return out;
    out.reserve(rows.size() * static_cast<size_t>(width));
    for (int64_t row : rows) {
        out.insert(out.end(), source.begin() + row * width, source.begin() + (row + 1) * width);
    }
    return out;
}

}  // namespace

int64_t Dataset::example_size() const {
    if (example_shape.empty()) return 0;
    return std::accumulate(example_shape.begin(), example_shape.end(), int64_t{1},
                           std::multiplies<>());
}

int64_t Dataset::size() const {
    const int64_t width = example_size();
    return width == 0 ? 0 : static_cast<int64_t>(inputs.size()) / width;
}

Dataset select_rows(const Dataset& data, const std::vector<int64_t>& rows) {
    for (int64_t row : rows) {
        if (row < 0 || row >= data.size()) {
            throw Error(ErrorCode::kInvalid, "row must be in [0, " + std::to_string(data.size()) +
                                                 "), got " + std::to_string(row));
        }
    }
    Dataset out;
    out.name = data.name;
    out.digest = data.digest;
    out.example_shape = data.example_shape;
    out.tokens = data.tokens;
    out.inputs = gather(data.inputs, rows, data.example_size());
    out.labels = gather(data.labels, rows, 1);
    out.targets = gather(data.targets, rows, 1);
    out.class_names = data.class_names;
    out.feature_names = data.feature_names;
    out.groups = gather(data.groups, rows, 1);
    out.preprocessing_json = data.preprocessing_json;
    out.bounds_read_from_data = data.bounds_read_from_data;
    return out;
}

}  // namespace ward::data
