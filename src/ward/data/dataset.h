// Examples ready for a network: a dense matrix of inputs, labels, and where both came from.
//
// Thread safety: value type.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ward::data {

struct Dataset {
    std::string name;                    // "mnist", "adult"
    std::string digest;                  // SHA-256 of the source bytes and the encoding
    std::vector<int64_t> example_shape;  // {features}, {channels, height, width}, {time} for tokens
    bool tokens = false;          // inputs are token numbers stored as floats (exact up to 2^24)
    std::vector<float> inputs;    // size() x product(example_shape), row-major
    std::vector<int64_t> labels;  // class numbers in [0, class_names.size()), or empty
    std::vector<float> targets;   // regression targets, or empty
    std::vector<std::string> class_names;
    std::vector<std::string> feature_names;  // for tables: one per input
    std::vector<int64_t> groups;     // id of the person or unit each example belongs to, or empty
    std::string preprocessing_json;  // how raw data became inputs; stored in the model card
    bool bounds_read_from_data = false;  // a leak that the privacy statement must mention

    int64_t size() const;          // examples
    int64_t example_size() const;  // inputs per example
};

// The chosen rows, in that order. Throws Error kInvalid for a row out of range.
Dataset select_rows(const Dataset& data, const std::vector<int64_t>& rows);

}  // namespace ward::data
