// The job file of a training on shares: YAML, one document, all keys checked before anything runs.
// Keys and an example are in docs/mpc.md. Thread safety: free functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ward/mpc/learn/job.h"

namespace ward::mpc {

struct JobFile {
    std::string data;   // as data::LoadRequest::data
    std::string label;  // column of a table, if its schema names none
    std::vector<size_t> hidden;
    TrainOptions options;
    int epochs = 1;
    double decay = 1;
    Truncation truncation = Truncation::kExact;
    Security security = Security::kSemiHonest;
};

// Throws Error kInvalid with `name` and the line: unknown, repeated, missing keys, values out of
// range.
JobFile parse_job(std::string_view text, const std::string& name);
// Also throws Error kNotFound and kIo.
JobFile read_job(const std::string& path);

// The job for these examples. One output for two classes. Throws Error kInvalid for data without
// labels.
TrainingJob job_for(const JobFile& file, const data::Dataset& train_set);

}  // namespace ward::mpc
