// One door to every data set: a path or a name in, examples ready for a network out.
//
//   LoadRequest request;
//   request.data = "../shared/data/mnist";   // IDX folder; or a CSV or NPY file, a CIFAR folder,
//   request.split = "train";                 // "digits", "breast-cancer"
//   Dataset train = load_dataset(request).dataset;
//
// A set with parts of its own keeps them; a set in one piece is split by a hash of each row
// (split.h), so that train and test of one `data` never share a row. Thread safety: free functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ward/data/dataset.h"
#include "ward/data/schema.h"
#include "ward/data/split.h"

namespace ward::data {

struct LoadRequest {
    std::string data;             // path or built-in name
    std::string split = "train";  // "train", "test" or "all"

    // Tables. The schema may also come from data/schemas by the file's name, or from
    // `schema.yaml` in the folder.
    std::string schema;  // file; empty: as above
    std::string label;   // makes this column the label
    std::string group;   // makes this column the group id
    // Training: at most so many rows of each group stay, the first ones of the file; 0: all. Which
    // rows of a group stay depends on no other group.
    int64_t max_per_group = 0;
    std::optional<char> delimiter;  // these three overrule the schema
    std::optional<bool> header;
    std::optional<TextEncoding> encoding;
    bool clamp = true;              // false: numbers outside the declared bounds are refused
    bool bounds_from_data = false;  // infer what is not declared; marks the set (a leak)

    // Images and arrays: inputs become (x / scale - mean) / std, per channel. Empty: the public
    // constants of the sets Ward recognises by digest (MNIST, Fashion-MNIST, CIFAR-10), else none.
    std::vector<double> mean;
    std::vector<double> std;
    int64_t num_classes = 0;  // 0: as many as the labels show

    // Sets that come in one piece.
    double test_fraction = kDefaultTestFraction;
    uint64_t split_seed = kDefaultSplitSeed;

    // For evaluation and prediction: encode exactly as the model's training set was.
    std::string preprocessing_json;
    bool labels_required = true;  // false: rows without labels are welcome
};

struct LoadedData {
    Dataset dataset;
    std::string source;              // what was read, for people
    std::string split;               // how this part was made, for people
    std::vector<std::string> notes;  // what the user should know: clamped values, chosen schema...
};

// Throws Error kNotFound (no such path or name), kUsage (wrong option), kInvalid, kCorrupt, kIo.
// Without `clamp`, kInvalid names file, row (from 0), column, value and bounds.
LoadedData load_dataset(const LoadRequest& request);

// Names of the built-in sets.
std::vector<std::string> builtin_names();

// The folder that holds them and the shipped schemas: $WARD_DATA_DIR, else share/ward/data beside
// the program, else the source tree. Throws Error kNotFound that lists where it looked.
std::string builtin_folder();

// The schema to read `path` (a file or folder) with, as load_dataset would choose it, and what it
// was chosen by; nothing when there is none.
struct ChosenSchema {
    Schema schema;
    std::string origin;  // its file
};
std::optional<ChosenSchema> choose_schema(const LoadRequest& request);

}  // namespace ward::data
