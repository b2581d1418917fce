#include "ward/attack/inversion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ward/attack/gradient_inversion.h"
#include "ward/core/progress.h"
#include "ward/core/testing/errors.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

const bool kQuiet = [] {
    set_progress_mode(ProgressMode::kOff);
    return true;
}();

using ::testing::HasSubstr;
using ward::testonly::message_of;

// A model that knows its classes by one template each: what an inversion must bring back.
struct Templates {
    Templates() {
        pictures = torch::zeros({3, 1, 6, 6});
        pictures[0][0].narrow(0, 0, 3).fill_(1);
        pictures[1][0].narrow(1, 0, 3).fill_(1);
        pictures[2][0].narrow(0, 2, 2).fill_(1);
    }

    Target target(Access access = Access::kWhiteBox) const {
        return Target(
            [this](const at::Tensor& x) {
                return -20 * (x.unsqueeze(1) - pictures.unsqueeze(0)).square().flatten(2).mean(2);
            },
            access);
    }

    at::Tensor pictures;
};

TEST(Inversion, BringsBackTheTemplateOfEachClass) {
    const Templates model;
    for (const std::string& name : inversion_names()) {
        Target target = model.target();
        // Weak weights: the model's slope vanishes as it grows sure, and the prior would win.
        const auto found = invert_classes(
            target, {1, 6, 6}, {0, 1, 2},
            {.attack = name, .steps = 300, .total_variation = 1e-5, .quiet = 1e-6, .shift = 0});
        ASSERT_EQ(found.size(), 3u);
        for (const InvertedClass& one : found) {
            EXPECT_GT(one.confidence, 0.95) << name;
            // Nearer to its own template than to any other.
            double own = psnr(one.x, model.pictures[one.label]);
            for (int64_t c = 0; c < 3; ++c) {
                if (c != one.label) {
                    EXPECT_GT(own, psnr(one.x, model.pictures[c]) + 2) << name;
                }
            }
            EXPECT_GT(ssim(one.x, model.pictures[one.label]), 0.3) << name;
        }
    }
}

TEST(Inversion, MifaceStopsWhereItIsSureOrStuck) {
    const Templates model;
    Target target = model.target();
    const auto sure = invert_classes(target, {1, 6, 6}, {0}, {.enough = 0.5});
    EXPECT_GE(sure[0].confidence, 0.5);
    const auto steps = target.counts().backward;
    EXPECT_LT(steps, 100);
    target.reset_counts();
    Target flat([](const at::Tensor& x) { return torch::zeros({x.size(0), 3}) + 0 * x.sum(); });
    const auto stuck = invert_classes(flat, {1, 6, 6}, {0}, {.patience = 5});
    EXPECT_LE(flat.counts().backward, 7);
    EXPECT_NEAR(stuck[0].confidence, 1.0 / 3, 1e-6);
}

TEST(Inversion, RefusesWhatDoesNotFit) {
    const Templates model;
    Target target = model.target();
    EXPECT_THAT(message_of(
                    [&] {
                        invert_classes(target, {1, 6, 6}, {3}, {});
                    },
                    ErrorCode::kUsage),
                HasSubstr("between 0 and 2, got 3"));
    EXPECT_THAT(message_of(
                    [&] {
                        invert_classes(target, {1, 6, 6}, {0}, {.attack = "gan"});
                    },
                    ErrorCode::kUsage),
                HasSubstr("no inversion gan"));
    EXPECT_THAT(message_of(
                    [&] {
                        invert_classes(target, {1, 6, 6}, {0}, {.steps = -1});
                    },
                    ErrorCode::kUsage),
                HasSubstr("steps"));
    Target scores = model.target(Access::kScores);
    message_of([&] { invert_classes(scores, {1, 6, 6}, {0}, {}); }, ErrorCode::kRefused);
}

TEST(Ssim, AgreesWithItsClosedForms) {
    const at::Tensor image = at::rand({3, 16, 12});
    EXPECT_NEAR(ssim(image, image), 1, 1e-9);
    // Constant images: only the first factor remains.
    const at::Tensor a = torch::full({1, 12, 12}, 0.2), b = torch::full({1, 12, 12}, 0.6);
    EXPECT_NEAR(ssim(a, b), (2 * 0.12 + 1e-4) / (0.04 + 0.36 + 1e-4), 1e-5);
    EXPECT_LT(ssim(image, 1 - image), 0);
    EXPECT_THAT(message_of([&] { ssim(image, a); }), HasSubstr("two images"));
}

}  // namespace
}  // namespace ward::attack
