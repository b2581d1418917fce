// The JSON of one experiment, for the files that hold several.
#pragma once

#include <nlohmann/json.hpp>

#include "ward/audit/experiment.h"

namespace ward::audit {

nlohmann::ordered_json experiment_json(const ExperimentResult& result);

}  // namespace ward::audit
