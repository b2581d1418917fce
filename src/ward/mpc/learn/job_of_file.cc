// From a job file and the shape of the data to what is trained.
#include <algorithm>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/mpc/learn/job_file.h"
#include "ward/mpc/learn/privacy.h"

namespace ward::mpc {
namespace {

NetworkShape shape_for(const JobFile& file, std::span<const int64_t> example, size_t outputs) {
    NetworkShape shape;
    size_t inputs = 1;
    for (int64_t side : example) inputs *= static_cast<size_t>(side);
    if (file.layers.empty()) {
        shape.widths = {inputs};
        shape.widths.insert(shape.widths.end(), file.hidden.begin(), file.hidden.end());
        shape.widths.push_back(outputs);
        return shape;
    }
    const auto side = [&](size_t i) { return static_cast<size_t>(example[i]); };
    shape.image =
        example.size() == 3 ? ImageShape{side(1), side(2), side(0)} : ImageShape{1, 1, inputs};
    shape.layers = file.layers;
    shape.layers.push_back({.kind = NetworkLayer::Kind::kDense, .outputs = outputs});
    (void)steps_of(shape);  // refuses what does not fit
    return shape;
}

}  // namespace

TrainingJob job_of(const JobFile& file, size_t examples, std::span<const int64_t> example,
                   size_t classes) {
    TrainingJob job;
    job.shape = shape_for(file, example, classes == 2 ? 1 : classes);
    job.options = file.options;
    job.epochs = file.epochs;
    job.decay = file.decay;
    job.examples = examples;
    job.input_owner = file.input_owner;
    job.label_owner = file.label_owner;
    job.protocol = std::string(file.truncation == Truncation::kExact ? "exact" : "fast") +
                   (file.security == Security::kMalicious ? "|malicious" : "|semi-honest") +
                   "|label " + std::to_string(file.label.size()) + " " + file.label;
    if (file.options.clipping_norm > 0) {
        job.delta = file.delta;
        if (file.epsilon > 0) job.options.noise_multiplier = noise_for(job, file.epsilon);
        (void)privacy_plan(job);  // refuses what gives no guarantee
    }
    return job;
}

TrainingJob shared_job(const JobFile& file, const SharedDataShape& shape) {
    const auto features = static_cast<int64_t>(shape.features);
    int64_t pixels = 1;
    for (int64_t side : file.input_shape) pixels *= side;
    if (!file.input_shape.empty() && pixels != features) {
        throw Error(ErrorCode::kInvalid, "input_shape has " + std::to_string(pixels) +
                                             " values, the owners bring " +
                                             std::to_string(features));
    }
    const int64_t flat[] = {features};
    const size_t classes = std::max<size_t>(shape.label_columns, 2);
    TrainingJob job = job_of(
        file, shape.rows,
        file.input_shape.empty() ? flat : std::span<const int64_t>(file.input_shape), classes);
    job.protocol += "|align " + std::to_string(static_cast<int>(file.alignment)) +
                    (file.distinct ? " distinct" : "");
    // The results carry the text, so it must be the same, too.
    job.protocol += "|text " + sha256_hex(file.text);
    for (const JobFile::Owner& owner : file.owners) {
        job.protocol +=
            "|owner " + std::to_string(owner.name.size()) + " " + owner.name + " " + owner.id;
    }
    for (const std::string& recipient : file.recipients) job.protocol += "|to " + recipient;
    return job;
}

TrainingJob job_for(const JobFile& file, const data::Dataset& train_set) {
    if (train_set.labels.empty() || train_set.class_names.size() < 2) {
        throw Error(ErrorCode::kInvalid,
                    "data set " + train_set.name + " has no labels of two or more classes",
                    "name the label column: label: COLUMN");
    }
    return job_of(file, static_cast<size_t>(train_set.size()), train_set.example_shape,
                  train_set.class_names.size());
}

TrainingJob public_job(const JobFile& file) {
    if (file.examples == 0) {
        throw Error(ErrorCode::kInvalid, "the job does not say examples, inputs and classes",
                    "parties without the data must know these numbers");
    }
    const int64_t flat[] = {static_cast<int64_t>(file.inputs)};
    const bool image = !file.input_shape.empty();
    return job_of(file, file.examples, image ? std::span<const int64_t>(file.input_shape) : flat,
                  file.classes);
}

}  // namespace ward::mpc
