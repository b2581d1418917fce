// What the joint table of several owners is, from what their share files say.
#pragma once

#include <span>

#include "ward/data/dataset.h"
#include "ward/mpc/learn/job_file.h"
#include "ward/mpc/share_file.h"

namespace ward::cli {

// A data set without rows. Of owners under one another, that of any of them. Of owners beside one
// another, whose tables are declared by schemas of one range: the columns of all, and the label,
// under a schema of their own, so that a model of it reads a CSV file with these columns. Where two
// owners have columns of one name, all columns are named OWNER/COLUMN.
data::Dataset joint_data(const mpc::JobFile& file, std::span<const mpc::ShareFile> owners);

}  // namespace ward::cli
