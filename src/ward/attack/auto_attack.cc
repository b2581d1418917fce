#include "ward/attack/auto_attack.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "ward/attack/apgd.h"
#include "ward/attack/fab.h"
#include "ward/attack/internal/losses.h"
#include "ward/attack/square.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr int64_t kDraws = 20;     // rand: draws per gradient
constexpr int64_t kChecked = 200;  // examples that the checks look at
constexpr int64_t kL1Restarts = 5, kL1Classes = 5;

struct Part {
    std::unique_ptr<Attack> attack;
    bool white_box = true;
};

std::vector<Part> parts_of(AutoAttackVersion version, EvasionOptions options) {
    std::vector<Part> parts;
    const auto with_restarts = [&](int64_t restarts) {
        EvasionOptions copy = options;
        copy.restarts = restarts;
        return copy;
    };
    if (version == AutoAttackVersion::kRand) {
        options.eot = kDraws;
        parts.push_back({make_apgd_ce(options)});
        parts.push_back({make_apgd_dlr(options)});
        return parts;
    }
    if (options.norm == Norm::kL1) {
        parts.push_back({make_apgd_ce(with_restarts(kL1Restarts), ApgdRadii::kShrinking)});
        parts.push_back({make_apgd_t(options, kL1Classes, ApgdRadii::kShrinking)});
        parts.push_back({make_fab_t(options)});
        parts.push_back({make_square(options), false});
        return parts;
    }
    const bool plus = version == AutoAttackVersion::kPlus;
    parts.push_back({make_apgd_ce(with_restarts(plus ? 5 : 1))});
    if (plus) {
        parts.push_back({make_apgd_dlr(with_restarts(5))});
        parts.push_back({make_fab(with_restarts(5))});
        parts.push_back({make_square(options), false});
    }
    parts.push_back({make_apgd_t(options)});
    parts.push_back({make_fab_t(options)});
    if (!plus) parts.push_back({make_square(options), false});
    return parts;
}

class AutoAttack : public Attack {
  public:
    AutoAttack(AutoAttackVersion version, const EvasionOptions& options)
        : version_(version), options_(options), parts_(parts_of(version, options)) {}

    std::string_view name() const override {
        if (version_ == AutoAttackVersion::kPlus) return "autoattack-plus";
        return version_ == AutoAttackVersion::kRand ? "autoattack-rand" : "autoattack";
    }

    std::vector<std::string> flags() const override {
        std::vector<std::string> flags = flags_;
        if (square_wins_ > 0) {
            flags.push_back("square fooled " + std::to_string(square_wins_) +
                            " examples that all white-box attacks before it left: gradients may be "
                            "masked");
        }
        if (no_gradient_ > 0) {
            flags.push_back("the gradient of the loss is zero for " + std::to_string(no_gradient_) +
                            " of " + std::to_string(checked_) +
                            " examples: gradients may be masked");
        }
        return flags;
    }

    std::string memory() const override {
        return nlohmann::json{flags_, square_wins_, no_gradient_, checked_}.dump();
    }

    void remember(const std::string& memory) override {
        try {
            const auto known = nlohmann::json::parse(memory);
            flags_ = known.at(0).get<std::vector<std::string>>();
            square_wins_ = known.at(1).get<int64_t>();
            no_gradient_ = known.at(2).get<int64_t>();
            checked_ = known.at(3).get<int64_t>();
        } catch (const nlohmann::json::exception&) {
            throw Error(ErrorCode::kCorrupt, "the state of autoattack cannot be read");
        }
    }

    at::Tensor perturb(Target& target, const Points& points) override {
        if (points.targeted())
            throw Error(ErrorCode::kUnsupported, "autoattack looks for any other class",
                        "use pgd or apgd-ce for a class of your choice");
        check(target, points);
        at::Tensor out = points.x.clone(), open = torch::arange(points.size());
        for (Part& part : parts_) {
            if (open.numel() == 0) break;
            const Points left = points.select(open);
            const at::Tensor found = part.attack->perturb(target, left);
            const at::Tensor fooled = confirmed(target, left, found);
            out.index_copy_(0, open, found);
            if (!part.white_box) square_wins_ += fooled.sum().item<int64_t>();
            open = open.index_select(0, (~fooled).nonzero().flatten());
        }
        return out;
    }

  private:
    at::Tensor confirmed(Target& target, const Points& points, const at::Tensor& found) const {
        const at::Tensor inside =
            row_norms(found - points.x, options_.norm) <= options_.epsilon * (1 + 1e-5) + 1e-6;
        return points.fooled(target.logits(found)) & inside;
    }

    void raise(const std::string& flag) {
        if (std::find(flags_.begin(), flags_.end(), flag) == flags_.end()) flags_.push_back(flag);
    }

    void check(Target& target, const Points& all) {
        const Points points = all.select(torch::arange(std::min<int64_t>(kChecked, all.size())));
        const at::Tensor first = target.logits(points.x);
        const double change = (target.logits(points.x) - first).abs().max().item<double>();
        if (change > 1e-4 && version_ != AutoAttackVersion::kRand)
            raise("the model answers differently to the same input: use autoattack-rand");
        if (change <= 1e-4 && version_ == AutoAttackVersion::kRand)
            raise("the model does not draw at random: use autoattack");
        const bool shares =
            (first >= 0).all().item<bool>() && (first.sum(1) - 1).abs().max().item<double>() < 1e-3;
        if (shares)
            raise(
                "the outputs are probabilities, not logits: gradients vanish where the model is "
                "sure");
        const auto pass = target.gradient(points.x, [&](const at::Tensor& logits, int64_t row) {
            return evaluate_loss(Loss::kCrossEntropy, logits,
                                 points.y.narrow(0, row, logits.size(0)), at::Tensor())
                .cotangent;
        });
        no_gradient_ += (pass.gradient.flatten(1).abs().amax(1) == 0).sum().item<int64_t>();
        checked_ += points.size();
    }

    AutoAttackVersion version_;
    EvasionOptions options_;
    std::vector<Part> parts_;
    std::vector<std::string> flags_;
    int64_t square_wins_ = 0;
    int64_t no_gradient_ = 0, checked_ = 0;  // examples
};

}  // namespace

std::unique_ptr<Attack> make_auto_attack(AutoAttackVersion version, const EvasionOptions& options) {
    if (options.steps != 0 || options.restarts != 0 || options.step_size != 0)
        throw Error(ErrorCode::kUsage, "autoattack fixes steps, step size and restarts",
                    "leave them out, or run its parts one by one: apgd-ce, apgd-t, fab-t, square");
    if (options.norm == Norm::kL1 && version == AutoAttackVersion::kPlus)
        throw Error(ErrorCode::kUnsupported, "autoattack-plus is defined for linf and l2, got l1",
                    "use autoattack");
    return std::make_unique<AutoAttack>(version, options);
}

}  // namespace ward::attack
