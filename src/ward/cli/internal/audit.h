// `ward audit`: the model, its data, and how each experiment of a plan is done with them.
#pragma once

#include <string>

#include "ward/audit/audit_plan.h"
#include "ward/audit/experiment.h"
#include "ward/audit/judge.h"
#include "ward/cli/internal/attack.h"
#include "ward/cli/internal/model_options.h"
#include "ward/data/dataset.h"
#include "ward/model/model.h"

namespace ward::cli {

struct AuditSubjectOptions {
    std::string model;
    IdentityOptions identities;
    DataOptions data;
    RuntimeOptions runtime;
    std::string cache;  // folder of reference models
};

class AuditSubject {
  public:
    // Reads model and data. Throws Error kInvalid where they do not fit.
    explicit AuditSubject(const AuditSubjectOptions& options);

    const model::Model& model() const { return model_; }
    const data::Dataset& members() const { return members_; }
    audit::AuditedModel traits() const;
    audit::ModelClaims claims() const;
    std::string fingerprint(const audit::AuditPlan& plan) const;

    audit::ExperimentResult run(const audit::ExperimentSpec& spec) const;

  private:
    audit::ExperimentResult evasion(const audit::ExperimentSpec& spec) const;
    audit::ExperimentResult membership(const audit::ExperimentSpec& spec) const;
    audit::ExperimentResult privacy(const audit::ExperimentSpec& spec) const;
    audit::ExperimentResult extraction(const audit::ExperimentSpec& spec) const;
    audit::ExperimentResult inversion(const audit::ExperimentSpec& spec) const;
    AttackTargetOptions target_options(int64_t count) const;
    std::string data_flags() const;  // for commands that do one experiment again

    AuditSubjectOptions options_;
    model::Model model_;
    data::Dataset members_, others_;
};

}  // namespace ward::cli
