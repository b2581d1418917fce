// A model with encrypted weights as one file: what its owner hands to an evaluator, who can compute
// with it but neither read nor use it without the owner (docs/formats/he_objects.md, kind 9).
//
//   Bytes file = to_bytes(encrypt_model(network, plan, secret, random));       // owner
//   EncryptedModel model = encrypted_model_from_bytes(file);                   // evaluator
//   std::vector<double> scores = ...;                                          // owner: outputs_of
//
// Threat: as encrypted_weights.h; the bytes may come from anyone: layouts are computed again from
// the shapes, lengths are checked before memory is taken. Thread safety: values and functions.
#pragma once

#include <string>
#include <vector>

#include "ward/core/bytes.h"
#include "ward/he/infer/encrypted_weights.h"

namespace ward::he {

struct EncryptedModel {
    // All but keys and weights; the owner of the model needs it to read results.
    struct Description {
        WeightPlan plan;
        std::string preprocessing_json;        // how raw data become inputs; carried, not read
        std::vector<std::string> class_names;  // of the outputs, for people; empty or one each
    };

    Description description;
    EvaluationKeys keys;
    EncryptedNetwork network;
};

EncryptedModel encrypt_model(const Network& network, EncryptedModel::Description description,
                             const SecretKey& secret, Random& random);

Bytes to_bytes(const EncryptedModel::Description& description);
Bytes to_bytes(const EncryptedModel& model);
// Throws Error kCorrupt for bytes that are no such model, kRefused for insecure parameters.
EncryptedModel encrypted_model_from_bytes(ByteView bytes);

EncryptedModel::Description weight_description_from_bytes(ByteView bytes);

// SHA-256 of the description's bytes: results name the model that they are of.
std::string digest(const EncryptedModel::Description& description);

}  // namespace ward::he
