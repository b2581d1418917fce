// What a data set holds, for its owner's eyes: counts, ranges and values as they are.
//
// Threat: none is countered here. The description is computed from private rows without protection;
// do not publish it. Thread safety: free functions.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "ward/data/load.h"
#include "ward/data/schema.h"

namespace ward::data {

struct ValueCount {
    std::string value;
    int64_t count = 0;
};

struct ColumnDescription {
    std::string name;
    std::string kind;  // as declared by the schema, else as found
    int64_t missing = 0;
    int64_t distinct = 0;  // categories met
    bool numeric = false;
    double min = 0, max = 0, mean = 0;  // of numeric columns with values
    std::vector<ValueCount> values;     // most frequent first, at most 10
    int64_t outside_bounds = 0;         // against the declared bounds
    int64_t undeclared = 0;             // values outside the declared categories
};

struct PartDescription {
    std::string split;  // "train", "test" or "all"
    std::string source;
    int64_t rows = 0;
    std::string digest;  // of the content
    std::vector<ValueCount> classes;
};

struct Description {
    std::string name;
    std::string kind;                    // "table", "images" or "arrays"
    std::string schema;                  // file the schema came from, or empty
    std::vector<int64_t> example_shape;  // images
    std::vector<PartDescription> parts;
    std::vector<ColumnDescription> columns;  // tables
    std::vector<std::string> problems;       // where the rows and the schema disagree
    Schema inferred;                         // tables: a starting point, marked bounds_from_data
};

// `request.split` is not used: all parts are described. Errors as load_dataset.
Description describe(const LoadRequest& request);

}  // namespace ward::data
