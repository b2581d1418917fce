#include "ward/nn/dropout.h"

#include <gtest/gtest.h>

#include <thread>

#include "ward/nn/torch.h"

namespace ward::nn {
namespace {

at::Tensor masks_of(uint64_t seed) {
    const DropoutMasks masks(seed);
    return at::stack({drop(torch::ones({1000}), 0.25), drop(torch::ones({1000}), 0.25)});
}

TEST(Dropout, DropsTheShareAndKeepsTheMean) {
    const DropoutMasks masks(1);
    const at::Tensor x = drop(torch::ones({40000}), 0.25);
    // Six standard deviations of a share of 40000.
    EXPECT_NEAR((x == 0).to(at::kDouble).mean().item<double>(), 0.25, 6 * 0.00217);
    EXPECT_NEAR(x.max().item<double>(), 1 / 0.75, 1e-6);
    const at::Tensor leaf = torch::ones({100}).set_requires_grad(true);
    const at::Tensor y = drop(leaf, 0.5);
    EXPECT_TRUE(at::equal(torch::autograd::grad({y.sum()}, {leaf})[0], y.detach()));
}

TEST(Dropout, TheSeedDecidesWhateverOtherThreadsDraw) {
    const at::Tensor alone = masks_of(7);
    EXPECT_FALSE(at::equal(alone[0], alone[1])) << "each use draws afresh";
    EXPECT_FALSE(at::equal(alone, masks_of(8)));
    std::thread other([] {
        for (int i = 0; i < 200; ++i) (void)masks_of(static_cast<uint64_t>(i));
    });
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(at::equal(masks_of(7), alone)) << i;
    other.join();
}

TEST(Dropout, TheInnermostCountsAndTheOuterGoesOn) {
    at::Tensor first, second;
    {
        const DropoutMasks masks(3);
        first = drop(torch::ones({100}), 0.5);
        second = drop(torch::ones({100}), 0.5);
    }
    const DropoutMasks masks(3);
    EXPECT_TRUE(at::equal(drop(torch::ones({100}), 0.5), first));
    {
        const DropoutMasks inner(4);
        (void)drop(torch::ones({100}), 0.5);
    }
    EXPECT_TRUE(at::equal(drop(torch::ones({100}), 0.5), second));
}

}  // namespace
}  // namespace ward::nn
