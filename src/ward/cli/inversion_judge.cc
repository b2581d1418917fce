#include "ward/cli/internal/inversion_judge.h"

#include "ward/attack/gradient_inversion.h"
#include "ward/cli/internal/model_file.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"
#include "ward/train/evaluate.h"
#include "ward/train/recipes.h"

namespace ward::cli {
namespace {

constexpr uint64_t kSeed = 20260101;  // of the judge's training

model::Model train_judge(const data::Dataset& part) {
    const train::Recipe& recipe = train::default_recipe(part, std::nullopt);
    train::TrainOptions training = train::options_without_privacy(recipe, part.size());
    training.spec = train::spec_for(part, part.example_shape.size() == 3 ? "cnn" : "mlp", recipe);
    training.seed = kSeed;
    training.evaluations = 1;
    return train::train(part, training).model;
}

}  // namespace

at::Tensor InversionJudge::shares(const at::Tensor& x) const {
    at::NoGradGuard no_grad;
    return at::softmax(network->forward(standardised(x, mean, std)), 1);
}

InversionJudge make_inversion_judge(const AttackTarget& loaded, const data::Dataset& train,
                                    const std::string& file, const IdentityOptions& identities) {
    InversionJudge judge;
    judge.mean = loaded.mean;
    judge.std = loaded.std;
    const model::Model model =
        file.empty() ? train_judge(loaded.part) : load_model(file, identities);
    if (model.spec.input_shape != loaded.part.example_shape)
        throw Error(ErrorCode::kInvalid, "the judge expects inputs of another shape");
    judge.network = std::make_unique<nn::Network>(model);
    judge.description = file.empty() ? model.spec.name + " trained on the test part" : file;
    judge.accuracy = train::accuracy(train::predict(*judge.network, train), train);
    return judge;
}

JudgedInversion judge_inversion(attack::InvertedClass inverted, const InversionJudge& judge,
                                const AttackInputs& originals, double width) {
    JudgedInversion found;
    const at::Tensor rows = (originals.y == inverted.label).nonzero().flatten();
    if (rows.numel() > 0) {
        const at::Tensor mine = originals.x.index_select(0, rows);
        found.mean = mine.mean(0);
        const at::Tensor distance = (mine - inverted.x).flatten(1).norm(2, 1);
        found.nearest = mine[distance.argmin().item<int64_t>()];
        found.psnr_mean = attack::psnr(inverted.x, found.mean, width);
        found.psnr_nearest = attack::psnr(inverted.x, found.nearest, width);
        if (found.mean.dim() == 3) found.ssim_mean = attack::ssim(inverted.x, found.mean, width);
    }
    const at::Tensor shares = judge.shares(inverted.x.unsqueeze(0))[0];
    found.judged = shares.argmax().item<int64_t>();
    found.judge_confidence = shares[inverted.label].item<double>();
    found.inverted = std::move(inverted);
    return found;
}

}  // namespace ward::cli
