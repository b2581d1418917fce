// An outside project: a privacy plan, a data set and a model spec through installed headers only.
#include <cstdio>

#include "ward/data/load.h"
#include "ward/dp/plan.h"
#include "ward/model/zoo.h"

int main() {
    ward::dp::PlanRequest request;
    request.examples = 60000;
    request.expected_batch = 256;
    request.steps = 3510;
    request.delta = 1e-5;
    request.noise_multiplier = 1.1;
    const auto plan = ward::dp::PrivacyPlan::create(request);
    ward::model::ZooOptions options;
    options.input_shape = {784};
    options.outputs = 10;
    const auto spec = ward::model::make_model("mlp", options);
    std::printf("epsilon %.3f, %ld parameters\n", plan.epsilon().upper, static_cast<long>(ward::model::parameter_count(spec)));
    return plan.epsilon().upper > 1.1 && plan.epsilon().upper < 1.2 ? 0 : 1;
}
