// Messages of the Open Inference Protocol v2 (JSON) for models with one input and one output that
// matters.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ward/attack/extraction.h"

namespace ward::attack {

struct InferenceMetadata {
    std::string input, output;         // names; empty: not told
    std::vector<int64_t> input_shape;  // without the batch; empty: not told or not fixed
};

// Fields that are missing or odd are left empty: metadata are optional.
InferenceMetadata read_metadata(const std::string& text, const std::string& input,
                                const std::string& output);

std::string write_inference_request(const std::string& input, const std::string& output,
                                    const std::vector<int64_t>& shape, const float* values,
                                    int64_t count);

struct InferenceAnswer {
    Answer kind = Answer::kScores;
    std::vector<std::vector<float>>
        rows;  // per query; kLabels: one number; kTopK: class, score, ...
};

// Throws Error kInvalid, in one line, for anything but finite answers to `queries` queries.
InferenceAnswer read_inference_answer(const std::string& text, const std::string& output,
                                      int64_t queries);

// What a service says in {"error": ...}, shortened; else the first words of the text.
std::string service_message(const std::string& text);

}  // namespace ward::attack
