#include "ward/train/recipes.h"

#include <algorithm>
#include <bit>

#include "ward/core/error.h"
#include "ward/model/zoo.h"

namespace ward::train {
namespace {

using Function = model::Activation::Function;

constexpr int64_t kFewExamples = 5000;  // which recipes for small data are for

OptimizerOptions sgd(double momentum) {
    OptimizerOptions options;
    options.momentum = momentum;
    return options;
}

OptimizerOptions adam() {
    OptimizerOptions options;
    options.kind = OptimizerKind::kAdam;
    return options;
}

Schedule constant(double learning_rate) { return {ScheduleKind::kConstant, learning_rate, 0}; }

std::vector<Recipe> make_recipes() {
    std::vector<Recipe> list;
    list.push_back({"mnist",
                    "MNIST and like grey images of 28 x 28",
                    "cnn",
                    Function::kTanh,
                    {},
                    2048,
                    40,
                    0.1,
                    dp::ClippingKind::kFlat,
                    sgd(0.9),
                    constant(2),
                    0.98,
                    {},
                    true});
    list.push_back({"mnist-strict",
                    "the same below epsilon 2",
                    "cnn",
                    Function::kTanh,
                    {},
                    2048,
                    20,
                    0.1,
                    dp::ClippingKind::kFlat,
                    sgd(0.9),
                    constant(2),
                    0.96,
                    {},
                    true});
    list.push_back({"fashion-mnist",
                    "Fashion-MNIST",
                    "cnn",
                    Function::kTanh,
                    {},
                    2048,
                    40,
                    0.1,
                    dp::ClippingKind::kFlat,
                    sgd(0.9),
                    constant(4),
                    0.99,
                    {},
                    true});
    list.push_back({"image",
                    "small images from scratch",
                    "cnn",
                    Function::kTanh,
                    {},
                    1024,
                    40,
                    0.1,
                    dp::ClippingKind::kFlat,
                    sgd(0.9),
                    constant(1),
                    0.98,
                    {}});
    list.push_back({"small-image",
                    "some thousand small images",
                    "logistic",
                    Function::kTanh,
                    {},
                    1024,
                    40,
                    0.5,
                    dp::ClippingKind::kFlat,
                    sgd(0.9),
                    constant(2),
                    0.9,
                    {}});
    list.push_back({"table",
                    "tables with five thousand rows or more",
                    "logistic",
                    Function::kTanh,
                    {},
                    2048,
                    20,
                    0.5,
                    dp::ClippingKind::kFlat,
                    sgd(0.9),
                    constant(2),
                    0.95,
                    {}});
    list.push_back({"small-table",
                    "smaller tables",
                    "logistic",
                    Function::kTanh,
                    {},
                    128,
                    30,
                    0.5,
                    dp::ClippingKind::kFlat,
                    sgd(0.9),
                    constant(1),
                    0.9,
                    {}});
    list.push_back({"sequence",
                    "tokens or time series",
                    "transformer",
                    Function::kGelu,
                    {},
                    256,
                    10,
                    1,
                    dp::ClippingKind::kFlat,
                    adam(),
                    constant(1e-3),
                    0.98,
                    {}});
    return list;
}

// The kind of data a recipe without a data set's name is for.
std::string kind_of(const data::Dataset& data) {
    if (data.tokens || data.example_shape.size() == 2) return "sequence";
    if (data.example_shape.size() == 3) {
        const bool like_mnist = data.example_shape == std::vector<int64_t>{1, 28, 28};
        return data.size() < kFewExamples ? "small-image" : like_mnist ? "mnist" : "image";
    }
    return data.size() < kFewExamples ? "small-table" : "table";
}

const Recipe* find(const std::string& name) {
    const auto& all = recipes();
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const Recipe& recipe) { return recipe.name == name; });
    return found == all.end() ? nullptr : &*found;
}

}  // namespace

const std::vector<Recipe>& recipes() {
    static const std::vector<Recipe> list = make_recipes();
    return list;
}

const Recipe& recipe_named(const std::string& name) {
    if (const Recipe* recipe = find(name)) return *recipe;
    std::string known;
    for (const Recipe& recipe : recipes()) known += (known.empty() ? "" : ", ") + recipe.name;
    throw Error(ErrorCode::kUsage, "there is no recipe named " + name, "recipes: " + known);
}

const Recipe& default_recipe(const data::Dataset& data, std::optional<double> epsilon) {
    const std::string kind = find(data.name) != nullptr ? data.name : kind_of(data);
    const Recipe* strict = epsilon && *epsilon < 2 ? find(kind + "-strict") : nullptr;
    return strict != nullptr ? *strict : recipe_named(kind);
}

TrainOptions options_of(const Recipe& recipe) {
    TrainOptions options;
    options.optimizer = recipe.optimizer;
    options.schedule = recipe.schedule;
    options.batch_size = recipe.batch_size;
    options.epochs = recipe.epochs;
    options.ema_decay = recipe.ema_decay;
    options.augmentation = recipe.augmentation;
    return options;
}

TrainOptions options_without_privacy(const Recipe& recipe, int64_t examples) {
    constexpr int64_t kSmallestBatch = 32, kLargestBatch = 256;
    constexpr int64_t kStepsPerPass = 16, kFewestSteps = 2000;  // for few examples
    TrainOptions options = options_of(recipe);
    options.batch_size = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(
        std::clamp(examples / kStepsPerPass, kSmallestBatch, kLargestBatch))));
    options.epochs = std::max(options.epochs, static_cast<double>(kFewestSteps) *
                                                  static_cast<double>(options.batch_size) /
                                                  static_cast<double>(examples));
    if (options.optimizer.kind != OptimizerKind::kAdam) {
        options.optimizer = adam();
        options.schedule = constant(examples < kFewExamples ? 1e-2 : 3e-3);
    }
    return options;
}

model::ModelSpec spec_for(const data::Dataset& data, const std::string& model,
                          const Recipe& recipe) {
    model::ZooOptions options;
    options.input_shape = data.example_shape;
    options.task = data.targets.empty() ? model::Task::kClassification : model::Task::kRegression;
    options.outputs = data.targets.empty() ? static_cast<int64_t>(data.class_names.size()) : 1;
    if (model == recipe.model) options.hidden = recipe.hidden;
    options.activation = recipe.activation;
    model::ModelSpec spec = model::make_model(model, options);
    if (recipe.standardise_images && model == recipe.model && spec.input_shape.size() == 3)
        spec.layers.insert(spec.layers.begin(), {"standardise", model::GroupNorm{}, true});
    return spec;
}

}  // namespace ward::train
