#include "ward/nn/internal/max_pool.h"

#include <gtest/gtest.h>

#include <limits>

#include "ward/nn/torch.h"

namespace ward::nn {
namespace {

struct Case {
    std::vector<int64_t> shape;
    int64_t kernel, stride, padding;
};

const Case kCases[] = {{{3, 2, 14, 14}, 2, 1, 0}, {{2, 3, 28, 35}, 2, 2, 0},
                       {{2, 1, 17, 19}, 3, 2, 1}, {{1, 2, 9, 40}, 5, 3, 2},
                       {{2, 2, 7, 7}, 7, 1, 3},   {{1, 1, 1, 1}, 1, 1, 0}};

// The same maxima and, for whole-numbered gradients, whose sums are exact, the same bits.
void expect_same_as_aten(const at::Tensor& x, const Case& c) {
    const at::Tensor ours = x.clone().set_requires_grad(true),
                     theirs = x.clone().set_requires_grad(true);
    const at::Tensor y = max_pool2d(ours, c.kernel, c.stride, c.padding);
    const at::Tensor z = at::max_pool2d(theirs, c.kernel, c.stride, c.padding);
    ASSERT_EQ(y.sizes(), z.sizes());
    EXPECT_TRUE(at::allclose(y, z, 0, 0, true));
    const at::Tensor gradient = torch::randint(-50, 50, z.sizes()).to(at::kFloat);
    y.backward(gradient);
    z.backward(gradient);
    EXPECT_TRUE(at::equal(ours.grad(), theirs.grad()));
}

TEST(MaxPool, EqualsAten) {
    for (const Case& c : kCases) expect_same_as_aten(torch::randn(c.shape), c);
}

TEST(MaxPool, FirstOfEqualPixelsIsChosen) {
    for (const Case& c : kCases)
        expect_same_as_aten(torch::randint(0, 2, c.shape).to(at::kFloat), c);
}

TEST(MaxPool, NansAndInfinitiesAsAten) {
    for (const Case& c : kCases) {
        at::Tensor x = torch::randn(c.shape);
        x.masked_fill_(torch::rand(c.shape) < 0.2, std::numeric_limits<float>::quiet_NaN());
        x.masked_fill_(torch::rand(c.shape) < 0.1, std::numeric_limits<float>::infinity());
        expect_same_as_aten(x, c);
    }
}

TEST(MaxPool, GradientsHaveGradients) {
    const at::Tensor x = torch::randn({2, 2, 8, 8}).set_requires_grad(true);
    const auto squared_gradient = [&](auto pool) {
        const at::Tensor g =
            torch::autograd::grad({pool(x).pow(3).sum()}, {x}, {}, true, true).front();
        return torch::autograd::grad({g.pow(2).sum()}, {x}).front();
    };
    const at::Tensor ours = squared_gradient([](const auto& t) { return max_pool2d(t, 2, 1, 0); });
    const at::Tensor theirs =
        squared_gradient([](const auto& t) { return at::max_pool2d(t, 2, 1, 0); });
    EXPECT_TRUE(at::allclose(ours, theirs, 1e-5, 1e-6));
}

TEST(MaxPool, TakesImagesLaidOutOtherwise) {
    const at::Tensor x = torch::randn({2, 9, 9, 3}).permute({0, 3, 1, 2});
    EXPECT_TRUE(at::equal(max_pool2d(x, 3, 2, 1), at::max_pool2d(x, 3, 2, 1)));
}

}  // namespace
}  // namespace ward::nn
