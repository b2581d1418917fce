#include "ward/attack/patch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

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

// Says 1 where bright stands over dark anywhere in the image, else 0; class 2 never.
at::Tensor detect(const at::Tensor& x) {
    const at::Tensor pattern = at::cat({torch::ones({1, 1, 2, 4}), -torch::ones({1, 1, 2, 4})}, 2);
    const at::Tensor best = at::conv2d(x, pattern).flatten(1).logsumexp(1);
    return at::stack({torch::full_like(best, 6.5), best, torch::full_like(best, -9)}, 1);
}

at::Tensor grey_images(int64_t n, int64_t side, uint64_t seed) {
    const at::Tensor noise =
        at::randn({n, 1, side, side}, at::make_generator<at::CPUGeneratorImpl>(seed), at::kFloat);
    return (0.5 + 0.1 * noise).clamp(0, 1);
}

Points points_of(const at::Tensor& x, bool targeted) {
    const at::Tensor y = torch::zeros({x.size(0)}, at::kLong);
    return {x, y, targeted ? torch::ones_like(y) : at::Tensor()};
}

TEST(Patch, LiesInsideTheImageWithItsSizeAndTurnsAroundItsMiddle) {
    const at::Tensor x = torch::zeros({20, 1, 40, 60}), white = torch::ones({1, 8, 8});
    for (const double degrees : {0.0, 45.0}) {
        const PatchOptions options{.rotation_degrees = degrees};
        const at::Tensor laid = lay_patch(x, white, std::vector<double>(20, 0.25), options, 5);
        EXPECT_TRUE(((laid == 0) | ((laid - 1).abs() < 1e-6)).all().item<bool>());
        const at::Tensor covered = laid.flatten(1).sum(1);
        for (int64_t i = 0; i < 20; ++i)
            EXPECT_NEAR(covered[i].item<double>(), 100, degrees == 0 ? 1e-3 : 16) << i;
    }
    // Another place for each image: hardly a pixel is covered in all of them.
    const at::Tensor laid = lay_patch(x, white, std::vector<double>(20, 0.25), {}, 5);
    EXPECT_LT(laid.mean(0).max().item<double>(), 0.8);
    EXPECT_GT((laid.mean(0) > 0).to(at::kDouble).mean().item<double>(), 0.35);
}

TEST(Patch, LeavesPixelsOutsideAloneAndShowsItsOwn) {
    const at::Tensor x = grey_images(4, 12, 1);
    at::Tensor patch = torch::zeros({1, 6, 6});
    patch.narrow(1, 0, 3).fill_(1);  // upper half white
    const PatchOptions options{.rotation_degrees = 0};
    const at::Tensor laid = lay_patch(x, patch, std::vector<double>(4, 0.5), options, 2);
    const at::Tensor changed = laid != x;
    for (int64_t i = 0; i < 4; ++i) {
        EXPECT_EQ(changed[i].sum().item<int64_t>(), 36);
        const at::Tensor rows = changed[i][0].any(1).nonzero().flatten();
        const at::Tensor inside = laid[i][0].masked_select(changed[i][0]).view({6, 6});
        EXPECT_GT(inside.narrow(0, 0, 2).min().item<double>(), 0.9);
        EXPECT_LT(inside.narrow(0, 4, 2).max().item<double>(), 0.1);
        EXPECT_EQ(rows.numel(), 6);
    }
}

TEST(Patch, FindsThePatternThatNoiseDoesNotHave) {
    Target target(detect);
    const Points making = points_of(grey_images(40, 12, 3), true);
    const Points measured = points_of(grey_images(60, 12, 4), true);
    PatchOptions options{.sizes = {0.15, 0.5}, .rotation_degrees = 0, .steps = 60, .batch = 16};
    const PatchResult result = attack_with_patch(target, making, measured, options);
    ASSERT_EQ(result.success.size(), 2u);
    const PatchSuccess &small = result.success[0], &large = result.success[1];
    EXPECT_EQ(large.examples, 60);
    EXPECT_GT(large.rate(), 0.9);
    EXPECT_LT(large.noise_rate(), 0.3);
    EXPECT_LT(small.rate(), large.rate()) << "a pattern of 4 pixels does not fit into 2";
    EXPECT_LT(large.interval.low, large.rate());
    EXPECT_GT(large.interval.high, large.rate() - 1e-9);
    EXPECT_EQ(target.counts().backward, 60 * 16);
    EXPECT_GE(result.patch.min().item<double>(), 0);
    EXPECT_LE(result.patch.max().item<double>(), 1);
    EXPECT_EQ(result.shown.sizes(), at::IntArrayRef({2, 1, 12, 12}));
    // Without a wanted class the same patch is found: there is but one way out.
    const PatchResult free = attack_with_patch(target, points_of(making.x, false),
                                               points_of(measured.x, false), options);
    EXPECT_GT(free.success[1].rate(), 0.9);
}

TEST(Patch, SaysWhatDoesNotFit) {
    Target target(detect), scores(detect, Access::kScores);
    const Points points = points_of(grey_images(4, 12, 3), true);
    PatchOptions options{.steps = 1};
    EXPECT_THAT(message_of([&] { attack_with_patch(scores, points, points, options); },
                           ErrorCode::kRefused),
                HasSubstr("gradients"));
    const Points flat{torch::zeros({4, 9}), points.y, points.wanted};
    EXPECT_THAT(message_of([&] { attack_with_patch(target, flat, flat, options); },
                           ErrorCode::kUnsupported),
                HasSubstr("images"));
    Points done = points;
    done.y = torch::ones_like(done.y);
    EXPECT_THAT(
        message_of([&] { attack_with_patch(target, points, done, options); }, ErrorCode::kInvalid),
        HasSubstr("no example is left"));
    options.sizes = {1.5};
    EXPECT_THAT(
        message_of([&] { attack_with_patch(target, points, points, options); }, ErrorCode::kUsage),
        HasSubstr("at most 1, got 1.5"));
}

}  // namespace
}  // namespace ward::attack
