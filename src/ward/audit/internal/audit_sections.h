// The sections of an audit's page: one per experiment.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ward/audit/experiment.h"
#include "ward/audit/judge.h"
#include "ward/audit/report.h"

namespace ward::audit {

Section evasion_section(const ExperimentResult& result);
Section membership_section(const ExperimentResult& result, const ModelClaims& claims);
Section privacy_section(const ExperimentResult& result);
Section extraction_section(const ExperimentResult& result);
Section inversion_section(const ExperimentResult& result);

// Pictures in which the judge sees the class that they were made for.
int64_t recognised(const ExperimentResult& result);

// What the guarantee lets an attacker reach, as false alarms against members missed, and where the
// attacks made are. Without a guarantee, the attacks alone.
Chart trade_off_chart(const ModelClaims& claims, const std::vector<ExperimentResult>& results);

// "linf" as people write it.
std::string norm_text(const std::string& norm);

}  // namespace ward::audit
