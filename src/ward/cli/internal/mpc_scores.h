// Scores of shared rows as share files, and as the table that their reader gets.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ward/mpc/learn/job_file.h"
#include "ward/mpc/share_file.h"

namespace ward::cli {

// A party's part. The model's own words go with it; `tagged` are the owners, by their places in the
// job, whose tags the columns of `tags` are (require_tags).
mpc::ShareFile scores_result(const mpc::JobFile& file, const mpc::ShareFile& model,
                             const std::string& digest, int party, std::span<const size_t> tagged,
                             mpc::SharedMatrix scores, mpc::SharedMatrix tags);

// Probabilities of the classes, one row per line, behind the tags of the row. `about` is that of
// the result, `matrices` are its values. With `tags_path`, the file of an owner (mpc_tags.h), its
// identifiers stand first in place of all tags, in the order of its table and without rows that
// are not its own. Throws Error kInvalid for a file of other rows.
std::string score_table(const std::string& about, const std::vector<std::string>& classes,
                        const std::vector<mpc::RingMatrix>& matrices, const std::string& tags_path);

}  // namespace ward::cli
