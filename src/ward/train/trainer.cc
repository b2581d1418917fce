#include "ward/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <random>
#include <utility>

#include "ward/core/digest.h"
#include "ward/core/error.h"
#include "ward/core/file.h"
#include "ward/core/progress.h"
#include "ward/dp/poisson_sampler.h"
#include "ward/nn/dropout.h"
#include "ward/nn/torch.h"
#include "ward/train/checkpoint.h"
#include "ward/train/evaluate.h"
#include "ward/train/internal/micro_batch.h"
#include "ward/train/internal/run_plan.h"
#include "ward/train/private_step.h"

namespace ward::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// Everything that decides the result, so that a checkpoint is continued by its own run only.
std::string run_digest(const TrainOptions& options, const data::Dataset& data,
                       const std::string& plan_json) {
    const nlohmann::json all = {options.data_mark, data.size(), plan_json, settings_text(options)};
    return sha256_hex(all.dump());
}

nlohmann::json curve_to_json(const std::vector<CurvePoint>& curve) {
    nlohmann::json list = nlohmann::json::array();
    const auto value = [](const std::optional<double>& x) {
        return x ? nlohmann::json(*x) : nlohmann::json();
    };
    for (const CurvePoint& point : curve) {
        list.push_back({{"step", point.step},
                        {"epoch", point.epoch},
                        {"epsilon", value(point.epsilon)},
                        {"test_accuracy", value(point.test_accuracy)},
                        {"training_loss", value(point.training_loss)}});
    }
    return list;
}

std::vector<CurvePoint> curve_from_json(const std::string& text) {
    std::vector<CurvePoint> curve;
    try {
        for (const auto& entry : nlohmann::json::parse(text)) {
            const auto value = [&](const char* key) {
                return entry.at(key).is_null() ? std::nullopt
                                               : std::optional<double>(entry.at(key).get<double>());
            };
            curve.push_back({entry.at("step"), entry.at("epoch"), value("epsilon"),
                             value("test_accuracy"), value("training_loss")});
        }
    } catch (const nlohmann::json::exception&) {
        throw Error(ErrorCode::kCorrupt, "the checkpoint's accuracy curve cannot be read",
                    "train without --resume");
    }
    return curve;
}

// Of one step, from the public seed of the run (SplitMix64, Steele, Lea, Flood 2014): the same run
// has the same masks, also when it is resumed.
uint64_t dropout_seed(uint64_t seed, int64_t step) {
    uint64_t z = seed * 0xd1342543de82ef95u + static_cast<uint64_t>(step) + 1;
    z = (z * 0x9e3779b97f4a7c15u ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

nn::Network initial_network(const TrainOptions& options) {
    if (options.pretrained.empty()) return {options.spec, options.seed};
    const auto wanted = model::parameters(options.spec);
    for (const model::ParameterSpec& p : wanted) {
        const auto found = options.pretrained.find(p.name);
        if (found == options.pretrained.end() || found->second.shape != p.shape) {
            throw Error(ErrorCode::kInvalid,
                        "the pretrained model has no weight " + p.name + " of shape " +
                            model::shape_text(p.shape),
                        "it must have the layers of the model that is trained; activations may "
                        "differ");
        }
    }
    if (options.pretrained.size() != wanted.size()) {
        throw Error(ErrorCode::kInvalid, "the pretrained model has layers that the model has not");
    }
    return nn::Network(model::Model{options.spec, options.pretrained, {}});
}

class Run {
  public:
    Run(const data::Dataset& data, const TrainOptions& options, const data::Dataset* test)
        : data_(data),
          options_(options),
          test_(test),
          network_(initial_network(options)),
          steps_(steps_of(options, data.size())) {
        check_options(options, data);
        network_.to(options.device);
        network_.set_precision(options.precision);
        OptimizerOptions optimizer = options.optimizer;
        if (options.privacy) {
            plan_ = std::make_unique<dp::PrivacyPlan>(plan_for(options, data));
            steps_ = plan_->steps();
        }
        digest_ = run_digest(options, data, plan_ ? plan_->to_json() : "");
        micro_batch_ = options.micro_batch > 0
                           ? options.micro_batch
                           : automatic_micro_batch(options.spec, options.augmentation.views);
        if (plan_) {
            micro_batch_ = std::min(
                micro_batch_,
                largest_micro_batch(options.spec, options.batch_size, options.augmentation.views));
            private_step_ =
                std::make_unique<PrivateStep>(network_, *plan_, options.augmentation.views,
                                              std::min(micro_batch_, options.batch_size));
            const double deviation = private_step_->noise_standard_deviation();
            optimizer.noise_variance = deviation * deviation;
        }
        optimizer_ = std::make_unique<Optimizer>(optimizer);
        for (const nn::Parameter& parameter : network_.parameters()) {
            values_.push_back(parameter.value);
            if (options.ema_decay > 0) averages_.push_back(parameter.value.clone());
        }
        if (!options.checkpoint.empty()) lock_.emplace(options.checkpoint + ".lock");
        if (options.resume) {
            resume();
        } else if (!options.checkpoint.empty() && std::ifstream(options.checkpoint)) {
            throw Error(
                ErrorCode::kRefused,
                "there is a file " + options.checkpoint + ", perhaps of a run that has not ended",
                "go on with it by --resume, or remove it to give that run up");
        }
    }

    TrainResult run() {
        const Clock::time_point start = Clock::now();
        last_checkpoint_ = start;
        {
            Progress progress(plan_ ? "train privately" : "train", steps_, "steps");
            while (step_ < steps_) {
                one_step();
                ++step_;
                if (step_ % evaluation_interval() == 0 || step_ == steps_) add_curve_point();
                progress.update(step_, note());
                checkpoint_if_due();
                stop_if_asked();
            }
            progress.finish();
        }
        TrainResult result;
        use_averages();
        result.model.spec = options_.spec;
        result.model.weights = network_.export_weights();
        if (plan_) result.plan = *plan_;
        result.steps = step_;
        result.curve = curve_;
        result.seconds = seconds_since(start);
        result.resumed_at = resumed_at_;
        return result;
    }

  private:
    void one_step() {
        Random random = options_.step_random ? options_.step_random(step_) : Random::from_system();
        const nn::DropoutMasks masks(dropout_seed(options_.seed, step_));
        network_.set_training(true);
        const std::vector<at::Tensor> gradients =
            plan_ ? private_gradients(random) : plain_gradients(random);
        optimizer_->step(values_, gradients, options_.schedule.at(step_, steps_));
        if (!averages_.empty()) update_averages();
    }

    std::vector<at::Tensor> private_gradients(Random& random) {
        const dp::PlanRequest& settings = plan_->settings();
        const std::vector<int64_t> rows =
            dp::PoissonSampler(settings.expected_batch, settings.examples).sample(random);
        for_each_micro_batch(rows, random, [&](const Batch& batch) { private_step_->add(batch); });
        const GradientCanaries* canaries = options_.canaries;
        if (canaries == nullptr) return private_step_->finish(random);
        const std::vector<double> examples = private_step_->sum_at(canaries->watched);
        add_canaries(random);
        std::vector<at::Tensor> released = private_step_->finish(random);
        if (canaries->observe) canaries->observe(step_, released, examples);
        return released;
    }

    // Drawn as every example is: with probability expected batch / examples.
    void add_canaries(Random& random) {
        const std::vector<DiracCanary>& inserted = options_.canaries->inserted;
        const dp::PlanRequest& settings = plan_->settings();
        const dp::PoissonSampler sampler(static_cast<uint64_t>(settings.expected_batch),
                                         static_cast<uint64_t>(settings.examples),
                                         static_cast<int64_t>(inserted.size()));
        std::vector<DiracCanary> drawn;
        for (const int64_t i : sampler.sample(random)) drawn.push_back(inserted[i]);
        private_step_->add_canaries(drawn);
    }

    std::vector<at::Tensor> plain_gradients(Random& random) {
        for (nn::Parameter& parameter : network_.parameters())
            parameter.value.set_requires_grad(parameter.trainable);
        const std::vector<int64_t> rows = shuffled_rows();
        for_each_micro_batch(rows, random, [&](const Batch& batch) {
            const at::Tensor loss = summed_loss(network_.forward(batch.inputs), batch.labels,
                                                options_.spec.task, options_.augmentation.views);
            (loss / static_cast<double>(rows.size())).backward();
            loss_sum_ += loss.item<double>();
        });
        loss_rows_ += static_cast<double>(rows.size());
        std::vector<at::Tensor> gradients;
        for (nn::Parameter& parameter : network_.parameters()) {
            gradients.push_back(parameter.value.grad());
            parameter.value.mutable_grad().reset();
            parameter.value.set_requires_grad(false);
        }
        return gradients;
    }

    template <typename Work>
    void for_each_micro_batch(const std::vector<int64_t>& rows, Random& random, const Work& work) {
        const at::Device device(options_.device);
        for (size_t first = 0; first < rows.size(); first += static_cast<size_t>(micro_batch_)) {
            const size_t count = std::min(rows.size() - first, static_cast<size_t>(micro_batch_));
            Batch batch = gather_batch(data_, std::span(rows).subspan(first, count),
                                       options_.augmentation, &random);
            batch.inputs = batch.inputs.to(device);
            batch.labels = batch.labels.to(device);
            work(batch);
        }
    }

    // The step-th batch of a run that goes through the data in a new order each epoch.
    std::vector<int64_t> shuffled_rows() {
        const int64_t batches = std::max<int64_t>(1, data_.size() / options_.batch_size);
        const int64_t epoch = step_ / batches, place = step_ % batches;
        if (epoch != order_epoch_ || order_.empty()) {
            order_.resize(data_.size());
            std::iota(order_.begin(), order_.end(), 0);
            std::mt19937_64 generator(options_.seed * 0x9e3779b97f4a7c15u +
                                      static_cast<uint64_t>(epoch));
            for (size_t i = order_.size(); i > 1; --i)
                std::swap(order_[i - 1], order_[generator() % i]);
            order_epoch_ = epoch;
        }
        const auto first = order_.begin() + place * options_.batch_size;
        const auto left = std::min<int64_t>(options_.batch_size, order_.end() - first);
        return {first, first + left};
    }

    // Early averages would remember the initial weights: the decay grows to its value (as in De et
    // al. 2022).
    void update_averages() {
        const double steps = static_cast<double>(step_ + 1);
        const double decay = std::min(options_.ema_decay, (1 + steps) / (10 + steps));
        for (size_t i = 0; i < averages_.size(); ++i)
            averages_[i].mul_(decay).add_(values_[i], 1 - decay);
    }

    void use_averages() {
        for (size_t i = 0; i < averages_.size(); ++i) network_.parameters()[i].value = averages_[i];
    }

    void use_values() {
        for (size_t i = 0; i < values_.size(); ++i) network_.parameters()[i].value = values_[i];
    }

    int64_t evaluation_interval() const {
        return std::max<int64_t>(1, steps_ / std::max<int64_t>(1, options_.evaluations));
    }

    void add_curve_point() {
        CurvePoint point;
        point.step = step_;
        point.epoch = static_cast<double>(step_) * static_cast<double>(options_.batch_size) /
                      static_cast<double>(data_.size());
        if (plan_) point.epsilon = plan_->epsilon_after(step_).upper;
        if (test_ != nullptr && !test_->labels.empty()) {
            use_averages();
            point.test_accuracy = accuracy(predict(network_, *test_), *test_);
            use_values();
        }
        if (options_.show_training_loss && !plan_ && loss_rows_ > 0)
            point.training_loss = loss_sum_ / loss_rows_;
        loss_sum_ = loss_rows_ = 0;
        curve_.push_back(point);
    }

    std::string note() const {
        if (curve_.empty()) return "";
        const CurvePoint& last = curve_.back();
        char text[96] = "";
        int length = 0;
        if (last.epsilon)
            length += std::snprintf(text, sizeof(text), "epsilon %.3f  ", *last.epsilon);
        if (last.test_accuracy) {
            std::snprintf(text + length, sizeof(text) - static_cast<size_t>(length),
                          "test accuracy %.2f %%", 100 * *last.test_accuracy);
        }
        return text;
    }

    void checkpoint_if_due() {
        if (options_.checkpoint.empty()) return;
        const bool by_steps =
            options_.checkpoint_steps > 0 && step_ % options_.checkpoint_steps == 0;
        if (by_steps || seconds_since(last_checkpoint_) >= options_.checkpoint_seconds) {
            write_checkpoint();
        }
    }

    void stop_if_asked() {
        if (options_.stop == nullptr || !*options_.stop || step_ == steps_) return;
        const std::string where =
            "stopped after step " + std::to_string(step_) + " of " + std::to_string(steps_);
        if (options_.checkpoint.empty()) {
            throw Error(ErrorCode::kInterrupted, where + "; nothing was kept",
                        "with --checkpoint FILE a run can be resumed");
        }
        write_checkpoint();
        throw Error(ErrorCode::kInterrupted, where + "; its state is in " + options_.checkpoint,
                    "go on with the same flags and --resume");
    }

    void write_checkpoint() {
        Checkpoint checkpoint;
        checkpoint.run_digest = digest_;
        checkpoint.plan_json = plan_ ? plan_->to_json() : "";
        checkpoint.steps_done = step_;
        checkpoint.optimizer_steps = optimizer_->steps_taken();
        checkpoint.clipping_norm = private_step_ ? private_step_->clipping_norm() : 1;
        checkpoint.curve_json = curve_to_json(curve_).dump();
        checkpoint.resumed_at = resumed_at_;
        for (size_t i = 0; i < values_.size(); ++i) {
            const std::string& name = network_.parameters()[i].name;
            checkpoint.weights[name] = values_[i];
            if (!averages_.empty()) checkpoint.averages[name] = averages_[i];
        }
        checkpoint.optimizer_state = optimizer_->state();
        save_checkpoint(checkpoint, options_.checkpoint, options_.checkpoint_seal);
        last_checkpoint_ = Clock::now();
    }

    void resume() {
        const Checkpoint checkpoint =
            load_checkpoint(options_.checkpoint, options_.checkpoint_seal);
        if (checkpoint.run_digest != digest_) {
            throw Error(ErrorCode::kRefused,
                        options_.checkpoint + " belongs to a run with other data, model or options",
                        "repeat the flags of that run, or train without --resume");
        }
        if (checkpoint.steps_done < 0 || checkpoint.steps_done > steps_) {
            throw Error(ErrorCode::kCorrupt,
                        options_.checkpoint + " has an impossible position in its run");
        }
        if (private_step_) {
            try {
                private_step_->resume(checkpoint.steps_done, checkpoint.clipping_norm);
            } catch (const Error& error) {
                throw Error(ErrorCode::kCorrupt, options_.checkpoint + ": " + error.message());
            }
        }
        restore_tensors(checkpoint.weights, values_, "weight");
        if (!averages_.empty()) restore_tensors(checkpoint.averages, averages_, "average");
        restore_optimizer(checkpoint);
        curve_ = curve_from_json(checkpoint.curve_json);
        step_ = checkpoint.steps_done;
        resumed_at_ = checkpoint.resumed_at;
        resumed_at_.push_back(step_);
        write_checkpoint();  // whoever copies the file from now on copies the count as well
    }

    void restore_optimizer(const Checkpoint& checkpoint) {
        for (const auto& [name, tensor] : checkpoint.optimizer_state) {
            const bool fits =
                std::any_of(values_.begin(), values_.end(), [&](const at::Tensor& value) {
                    const auto index = std::to_string(&value - values_.data());
                    return name.size() > index.size() &&
                           name.substr(name.size() - index.size() - 1) == "." + index &&
                           tensor.sizes() == value.sizes();
                });
            if (!fits) {
                throw Error(ErrorCode::kCorrupt, options_.checkpoint + " has a state " + name +
                                                     " of no parameter's shape");
            }
        }
        optimizer_->restore(checkpoint.optimizer_state, checkpoint.optimizer_steps);
    }

    void restore_tensors(const std::map<std::string, at::Tensor>& stored,
                         std::vector<at::Tensor>& targets, const std::string& what) {
        for (size_t i = 0; i < targets.size(); ++i) {
            const auto found = stored.find(network_.parameters()[i].name);
            if (found == stored.end() || found->second.sizes() != targets[i].sizes()) {
                throw Error(ErrorCode::kCorrupt, options_.checkpoint + " has no " + what + " for " +
                                                     network_.parameters()[i].name +
                                                     " in its shape");
            }
            if (!at::isfinite(found->second).all().item<bool>()) {
                throw Error(ErrorCode::kCorrupt, options_.checkpoint + " has a " + what + " for " +
                                                     network_.parameters()[i].name +
                                                     " that is not a finite number");
            }
            targets[i].copy_(found->second);
        }
    }

    const data::Dataset& data_;
    const TrainOptions& options_;
    const data::Dataset* test_;
    nn::Network network_;
    int64_t steps_;
    std::unique_ptr<dp::PrivacyPlan> plan_;
    std::unique_ptr<PrivateStep> private_step_;
    std::unique_ptr<Optimizer> optimizer_;
    std::string digest_;
    int64_t micro_batch_ = 1;
    std::vector<at::Tensor> values_,
        averages_;  // of all parameters; values_ shares storage with the network
    int64_t step_ = 0;
    std::vector<int64_t> resumed_at_;
    std::vector<int64_t> order_;
    int64_t order_epoch_ = -1;
    double loss_sum_ = 0, loss_rows_ = 0;
    std::vector<CurvePoint> curve_;
    Clock::time_point last_checkpoint_;
    std::optional<FileLock> lock_;  // of the checkpoint: two runs must not share it
};

}  // namespace

std::string settings_text(const TrainOptions& options) {
    const OptimizerOptions& o = options.optimizer;
    const nlohmann::json all = {
        model::to_json(options.spec),
        optimizer_name(o.kind),
        o.momentum,
        o.beta1,
        o.beta2,
        o.epsilon,
        o.weight_decay,
        schedule_name(options.schedule.kind),
        options.schedule.learning_rate,
        options.schedule.warmup_fraction,
        options.batch_size,
        options.epochs,
        options.ema_decay,
        options.augmentation.views,
        options.augmentation.shift_pixels,
        options.augmentation.flip_horizontally,
        static_cast<int>(options.precision),
        options.seed,
        options.pretrained.empty() ? "" : model::digest({options.spec, options.pretrained, {}})};
    return all.dump();
}

TrainResult train(const data::Dataset& data, const TrainOptions& options,
                  const data::Dataset* test) {
    return Run(data, options, test).run();
}

}  // namespace ward::train
