#include <nlohmann/json.hpp>

#include "ward/attack/membership_run.h"
#include "ward/core/error.h"

namespace ward::attack {
namespace {

using nlohmann::json;

json parsed(const std::string& text) { return json::parse(text, nullptr, false); }

dp::ClippingKind clipping_named(const std::string& name) {
    if (name == "per-layer") return dp::ClippingKind::kPerLayer;
    if (name == "automatic") return dp::ClippingKind::kAutomatic;
    if (name == "adaptive") return dp::ClippingKind::kAdaptive;
    return dp::ClippingKind::kFlat;
}

train::PrivacyOptions privacy_of(const json& card) {
    train::PrivacyOptions privacy;
    privacy.noise_multiplier = card.at("noise_multiplier").get<double>();
    privacy.delta = card.at("delta").get<double>();
    privacy.clipping = clipping_named(card.value("clipping", "flat"));
    privacy.clipping_norm = card.value("clipping_norm", 1.0);
    return privacy;
}

}  // namespace

train::TrainOptions training_of(const model::Model& model) {
    const json card = parsed(model.card.training_json);
    try {
        train::TrainOptions options;
        options.spec = model.spec;
        options.optimizer.kind = train::parse_optimizer(card.at("optimizer").get<std::string>());
        options.optimizer.momentum = card.value("momentum", 0.0);
        options.optimizer.weight_decay = card.value("weight_decay", 0.0);
        options.schedule.kind = train::parse_schedule(card.at("schedule").get<std::string>());
        options.schedule.learning_rate = card.at("learning_rate").get<double>();
        options.schedule.warmup_fraction = card.value("warmup", 0.0);
        options.batch_size = card.at("batch_size").get<int64_t>();
        options.epochs = card.at("epochs").get<double>();
        // A budget may have ended the run before its epochs were over.
        if (const auto steps = card.value("steps", int64_t{0});
            steps > 0 && model.card.training_examples > 0) {
            options.epochs = static_cast<double>(steps) * static_cast<double>(options.batch_size) /
                             static_cast<double>(model.card.training_examples);
        }
        options.ema_decay = card.value("ema_decay", 0.0);
        options.augmentation.views = card.value("views", int64_t{1});
        options.augmentation.shift_pixels = card.value("shift", int64_t{0});
        options.augmentation.flip_horizontally = card.value("flip", false);
        if (!model.card.privacy_json.empty())
            options.privacy = privacy_of(parsed(model.card.privacy_json));
        return options;
    } catch (const json::exception&) {
        throw Error(ErrorCode::kInvalid, "the model's card does not say how it was trained",
                    "references need that: use a model of `ward train`, or --shadows 0");
    }
}

}  // namespace ward::attack
