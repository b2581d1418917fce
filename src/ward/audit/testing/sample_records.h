// Small records with known figures for tests. Not measurements of anything.
#pragma once

#include <string>
#include <vector>

#include "ward/audit/training_record.h"

namespace ward::audit {

// 40 test examples, two classes; `wrong` of them misclassified, the last ones.
inline Evaluation sample_evaluation(int wrong) {
    std::vector<float> probabilities;
    std::vector<int64_t> labels;
    for (int i = 0; i < 40; ++i) {
        const int label = i % 2;
        const bool right = i < 40 - wrong;
        const float sure = 0.6f + 0.009f * static_cast<float>(i);
        const bool says_one = (label == 1) == right;
        probabilities.push_back(says_one ? 1 - sure : sure);
        probabilities.push_back(says_one ? sure : 1 - sure);
        labels.push_back(label);
    }
    return evaluate(probabilities, 2, labels);
}

inline PrivacyFacts sample_privacy() {
    PrivacyFacts privacy;
    privacy.epsilon_upper = 2.9301;
    privacy.epsilon_lower = 2.929;
    privacy.rdp_epsilon = 3.1;
    privacy.delta = 1e-5;
    privacy.adjacency = "add or remove one example";
    privacy.unit = "example";
    privacy.sampler = "poisson";
    privacy.noise_multiplier = 1.1;
    privacy.clipping = "flat";
    privacy.clipping_norm = 0.5;
    privacy.sampling_rate = 0.1;
    privacy.steps = 100;
    privacy.statement = "Whoever sees the model learns little about any one example.";
    privacy.not_covered = {"The labels of the class list."};
    return privacy;
}

inline TrainingRecord sample_record(bool with_privacy, const std::string& data = "toy") {
    TrainingRecord record;
    record.created_utc = "2026-01-31T12:00:00Z";
    record.software = "ward test";
    record.data = {data, "digest-of-" + data, 160, 40, {"no", "yes"}, false};
    record.model = {"mlp", 1234, with_privacy ? "aaaa" : "bbbb", "m.safetensors"};
    if (with_privacy) record.privacy = sample_privacy();
    for (int i = 0; i <= 4; ++i) {
        CurvePoint point{25 * i, 2.5 * i, std::nullopt, 0.5 + 0.1 * i};
        if (with_privacy) point.epsilon = 0.7 * i;
        record.curve.push_back(point);
    }
    record.evaluation = sample_evaluation(with_privacy ? 6 : 2);
    record.resources = {12.5, 300'000'000, 2, "cpu", "Test CPU", "fp32"};
    record.command =
        "ward train --data " + data + (with_privacy ? " --epsilon 3" : " --no-privacy");
    return record;
}

}  // namespace ward::audit
