// What one training run was and what came out of it: the file `*.record.json` that module train
// writes and the report reads. Format: docs/formats/training_record.md.
//
// Threat: records are untrusted files; every number, size and text is checked. A record is a
// statement by whoever ran the training, not a proof. Thread safety: value types.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ward/audit/metrics.h"

namespace ward::audit {

struct DataFacts {
    std::string name;    // "mnist"
    std::string digest;  // SHA-256 of the training data
    int64_t train_examples = 0;
    int64_t test_examples = 0;
    std::vector<std::string> class_names;
    bool bounds_read_from_data = false;  // scaling used bounds that the guarantee does not cover
    bool grouped = false;                // a person or unit may have several rows
};

struct ModelFacts {
    std::string name;  // "cnn"
    int64_t parameters = 0;
    std::string digest;  // of spec and weights
    std::string file;    // as given to --out
};

// The figures of dp's plan and its statement.
struct PrivacyFacts {
    double epsilon_upper = 0;  // the guarantee (PLD)
    double epsilon_lower = 0;  // the accounting cannot be improved below this
    double rdp_epsilon = 0;    // by RDP, for comparison
    double delta = 0;
    std::string adjacency;          // "add or remove one example"
    std::string unit;               // "example", "group"
    int64_t max_contributions = 1;  // examples of one group at most
    std::string sampler;            // "poisson", or kNoSampler of privacy_facts.h
    double noise_multiplier = 0;
    std::string clipping;  // "flat", "per-layer", "automatic", "adaptive"; may be empty
    double clipping_norm = 0;
    double sampling_rate = 0;
    int64_t steps = 0;
    std::string statement;                 // in plain words
    std::vector<std::string> not_covered;  // may be empty
    std::vector<std::string> warnings;     // may be empty
    std::string plan_json;                 // dp's whole plan, to account again; may be empty
};

struct CurvePoint {
    int64_t step = 0;
    double epoch = 0;
    std::optional<double> epsilon;  // nothing for a non-private run
    std::optional<double> test_accuracy;
};

struct Resources {
    double seconds = 0;
    int64_t peak_memory_bytes = 0;
    int64_t threads = 0;
    std::string device;     // "cpu", "cuda:0"
    std::string cpu;        // brand
    std::string precision;  // "fp32", "bf16"
};

struct TrainingRecord {
    std::string created_utc;  // "2026-01-31T12:00:00Z"
    std::string software;     // "ward 0.1.0, LibTorch 1.13.0"
    DataFacts data;
    ModelFacts model;
    std::optional<PrivacyFacts> privacy;   // nothing: trained without a guarantee
    std::vector<CurvePoint> curve;         // in the order of steps
    std::optional<Evaluation> evaluation;  // on the test part
    Resources resources;
    std::string command;  // runs the same training again
};

std::string to_json(const TrainingRecord& record);
std::string to_json(const PrivacyFacts& privacy);  // the record's member "privacy"

// Of the record's member "privacy", which is also the privacy section of a model card. Throws as
// parse_training_record.
PrivacyFacts parse_privacy_facts(std::string_view json, const std::string& name);

// Throws Error kCorrupt (not JSON, a wrong kind, a figure out of range; names the member) or
// kUnsupported (another format). `name` begins the message.
TrainingRecord parse_training_record(std::string_view json, const std::string& name);

}  // namespace ward::audit
