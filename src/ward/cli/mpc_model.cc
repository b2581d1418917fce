#include "ward/cli/internal/mpc_model.h"

#include "ward/audit/privacy_facts.h"
#include "ward/audit/training_record.h"
#include "ward/model/model.h"
#include "ward/mpc/learn/export_model.h"
#include "ward/mpc/learn/privacy.h"

namespace ward::cli {

void save_job_model(const mpc::TrainingJob& job, mpc::Security security,
                    const mpc::NetworkWeights& network, const data::Dataset& train_set,
                    const std::string& path) {
    model::Model model = mpc::to_model(network, train_set);
    model.card.training_examples = static_cast<int64_t>(job.examples);
    if (job.options.clipping_norm > 0) {
        audit::PrivacyFacts facts =
            audit::privacy_facts(mpc::privacy_plan(job), train_set.bounds_read_from_data);
        for (std::string& remark : mpc::privacy_remarks(security)) {
            facts.warnings.push_back(std::move(remark));
        }
        model.card.privacy_json = audit::to_json(facts);
    }
    model::save_model(model, path);
}

}  // namespace ward::cli
