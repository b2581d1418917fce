// A table into the inputs of a network, by the bounds and categories that its schema declares.
//
// Numbers are clamped to [min, max] and scaled linearly or by log(1 + x - min) to [0, 1] (or
// [-1, 1]); categories become one input each (one-hot), plus one for "(missing)" and "(other)"
// where the schema says so. Nothing is learned from the rows, so the encoding costs no privacy. It
// is written down as JSON and applied unchanged to rows to predict. Thread safety: free functions
// without state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ward/data/dataset.h"
#include "ward/data/schema.h"
#include "ward/data/table.h"

namespace ward::data {

// A number that its column's bounds exclude; rows count from 0.
struct OutOfBounds {
    int64_t row = 0;
    std::string column;
    double value = 0, min = 0, max = 0;
};

struct Encoded {
    Dataset data;
    std::optional<OutOfBounds> first_clamped;  // the first row of the first such column
    int64_t clamped_values = 0;                // numbers outside the declared bounds
    int64_t missing_values = 0;
    int64_t unknown_values = 0;  // categories outside the declared ones
};

// Columns are found by name. The label or target column may be absent. Throws Error kNotFound for
// another absent column, kInvalid for categories that differ from the schema's, and when
// example_shape does not fit the number of inputs.
Encoded encode(const Table& table, const Schema& schema);

// The same by Dataset::preprocessing_json of the training set. Throws Error kInvalid for JSON that
// was not written by `encode`.
Encoded encode_with(const std::string& preprocessing_json, const Table& table);
Schema schema_of(const std::string& preprocessing_json);
std::string preprocessing_of(const Schema& schema);  // the way back

// A target with declared bounds becomes (value - min) / (max - min), so that one learning rate and
// one clipping norm fit targets of any unit; values beyond the bounds are kept. This is the way
// back: value = min + range * output. {0, 1} where nothing was scaled.
struct TargetScale {
    double min = 0, range = 1;
};
TargetScale target_scale(const Schema& schema);
TargetScale target_scale(const std::string& preprocessing_json);  // of any data

// Names of the inputs, one per feature.
std::vector<std::string> feature_names(const Schema& schema);

}  // namespace ward::data
