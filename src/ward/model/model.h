// A model: spec, weights and card, in ONE .safetensors file whose `__metadata__` carries spec and
// card, so that every safetensors reader opens it. Format: docs/formats/model.md.
//
// Threat: files are untrusted. Header length, JSON depth, names, dtypes, shapes and offsets are
// checked before use; overlapping, missing, surplus or misshapen tensors are refused.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/model/spec.h"

namespace ward::model {

// A float32 tensor in row-major order.
struct Weight {
    Shape shape;
    std::vector<float> values;
};

// What a person or an auditor must know about a model. The JSON texts are objects written by the
// module that owns their meaning (dp writes `privacy_json`, train `training_json`, data
// `preprocessing_json`); model only carries them.
struct ModelCard {
    std::string created_by;   // "ward 0.1.0"
    std::string data_name;    // "mnist", "adult"
    std::string data_digest;  // of the training data; `ward train` keys it (a bare one confirms guesses)
    int64_t training_examples = 0;
    std::vector<std::string> class_names;
    std::string preprocessing_json;  // how raw columns or pixels become inputs; enough to predict
                                     // on new rows
    std::string privacy_json;        // the privacy statement; empty = trained without a guarantee
    std::string training_json;       // recipe and settings
};

struct Model {
    ModelSpec spec;
    std::map<std::string, Weight> weights;  // by parameter name; exactly parameters(spec)
    ModelCard card;
};

// Throws Error kInvalid when weights and spec do not fit.
void save_model(const Model& model, const std::string& path);

// Throws Error kNotFound, kCorrupt (says what and where) or kUnsupported.
Model load_model(const std::string& path);
// From the bytes of such a file, for instance a decrypted one; `name` is for messages.
Model load_model(ByteView file, const std::string& name);

// SHA-256 over spec and weights (names, shapes, values), not over the card: two files with the same
// digest compute the same function.
std::string digest(const Model& model);

}  // namespace ward::model
