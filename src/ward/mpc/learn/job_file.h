// The job file of a training on shares: YAML, one document, all keys checked before anything runs.
// Keys and an example are in docs/mpc.md. Thread safety: free functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ward/mpc/learn/job.h"
#include "ward/mpc/learn/shared_job.h"
#include "ward/mpc/statistics.h"

namespace ward::mpc {

struct JobFile {
    std::string data;    // as data::LoadRequest::data
    std::string schema;  // file; of a table
    std::string label;   // column of a table, if its schema names none
    std::vector<size_t> hidden;
    std::vector<NetworkLayer> layers;  // in place of `hidden`, up to the output layer
    std::vector<int64_t> input_shape;  // with `layers`: channels, height, width
    TrainOptions options;
    // Of private training: noise_multiplier is in options, or follows from epsilon.
    double delta = 0;
    double epsilon = 0;
    int epochs = 1;
    double decay = 1;
    Truncation truncation = Truncation::kExact;
    Security security = Security::kSemiHonest;
    // What parties without data must know; all three or none.
    size_t examples = 0;
    size_t inputs = 0;  // per example
    size_t classes = 0;
    int input_owner = 0;  // party that brings the inputs, and the one that brings the labels
    int label_owner = 0;
    // Data that owners have shared beforehand, in place of data that parties bring.
    struct Owner {
        std::string name;
        std::string id;  // of its share files
    };
    std::vector<Owner> owners;
    Alignment alignment = Alignment::kNone;
    bool distinct = false;                // with kHorizontal: one row per person
    std::vector<std::string> recipients;  // age1...: who may have the model or the scores
    // For `ward mpc statistics`; private with a delta, whose noise is in the request.
    std::optional<StatisticsRequest> statistics;
    double statistics_delta = 0;
    std::string text;  // the file as it was read
};

// Throws Error kInvalid with `name` and the line: unknown, repeated, missing keys, values out of
// range.
JobFile parse_job(std::string_view text, const std::string& name);
// Also throws Error kNotFound and kIo.
JobFile read_job(const std::string& path);

// The job for these examples. One output for two classes. Throws Error kInvalid for data without
// labels.
TrainingJob job_for(const JobFile& file, const data::Dataset& train_set);

// The job by the public numbers of the file alone, for parties on machines of their own. Throws
// Error kInvalid when they are missing.
TrainingJob public_job(const JobFile& file);

// The job for data of this shape; `example` is {features} or {channels, height, width}.
TrainingJob job_of(const JobFile& file, size_t examples, std::span<const int64_t> example,
                   size_t classes);

// The job on shared data, whose digest has the owners' ids and the recipients. Throws Error
// kInvalid when the network does not fit the data.
TrainingJob shared_job(const JobFile& file, const SharedDataShape& shape);

}  // namespace ward::mpc
