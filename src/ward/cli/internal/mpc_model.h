// The model that a job on shares ends with, as a file with its card.
#pragma once

#include <string>

#include "ward/data/dataset.h"
#include "ward/mpc/learn/job.h"

namespace ward::cli {

// The card has the job's privacy statement when it trained with privacy.
void save_job_model(const mpc::TrainingJob& job, mpc::Security security,
                    const mpc::NetworkWeights& network, const data::Dataset& train_set,
                    const std::string& path);

}  // namespace ward::cli
