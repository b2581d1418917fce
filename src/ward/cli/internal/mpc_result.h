// Models and scores as share files: what a party writes, and what a reader puts together.
#pragma once

#include <span>
#include <string>

#include "ward/mpc/learn/job_file.h"
#include "ward/mpc/share_file.h"

namespace ward::cli {

mpc::ShareFile model_result(const mpc::JobFile& file, const std::string& digest,
                            const mpc::SharedDataShape& shape, size_t rows,
                            std::span<const mpc::ShareFile> owners, int party,
                            const mpc::SharedNetwork& network);

// The same of statistics; `digest` is that of the statistics job.
mpc::ShareFile statistics_result(const mpc::JobFile& file, const std::string& digest,
                                 const mpc::SharedDataShape& shape, size_t rows,
                                 std::span<const mpc::ShareFile> owners, int party,
                                 const mpc::SharedStatistics& statistics);

// A digest of how the owners' rows became inputs, in the order of the columns.
std::string encoding_of_owners(const mpc::JobFile& file, std::span<const mpc::ShareFile> owners);

// A party's part of a model. Throws Error kInvalid for a file of something else.
struct SharedModel {
    mpc::TrainingJob job;
    mpc::SharedNetwork network;
    std::string encoding;  // of the rows it was trained on
};
SharedModel shared_model(const mpc::ShareFile& file, const std::string& path);

}  // namespace ward::cli
