// Against torch::optim, which implements the same papers.
#include "ward/train/optimizer.h"

#include <gtest/gtest.h>
#include <torch/optim.h>

#include <functional>

#include "ward/core/error.h"
#include "ward/nn/torch.h"
#include "ward/train/schedule.h"

namespace ward::train {
namespace {

// Minimises a quadratic for 20 steps with both and returns the largest difference of the
// parameters.
double difference(
    const OptimizerOptions& options, double learning_rate,
    const std::function<std::unique_ptr<torch::optim::Optimizer>(std::vector<at::Tensor>)>&
        make_torch) {
    torch::manual_seed(1);
    const at::Tensor start = torch::randn({6}), curvature = torch::rand({6}) + 0.5;
    std::vector<at::Tensor> ours{start.clone()};
    at::Tensor theirs = start.clone().set_requires_grad(true);
    Optimizer optimizer(options);
    const auto reference = make_torch({theirs});
    for (int step = 0; step < 20; ++step) {
        optimizer.step(ours, {curvature * ours[0]}, learning_rate);
        theirs.mutable_grad() = (curvature * theirs).detach();
        reference->step();
    }
    return (ours[0] - theirs.detach()).abs().max().item<double>();
}

TEST(Optimizer, SgdWithMomentumAndWeightDecayIsTorchs) {
    OptimizerOptions options;
    options.momentum = 0.9;
    options.weight_decay = 0.01;
    EXPECT_LT(difference(options, 0.1,
                         [](auto p) {
                             return std::make_unique<torch::optim::SGD>(
                                 p, torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(0.01));
                         }),
              1e-6);
}

TEST(Optimizer, AdamIsTorchs) {
    OptimizerOptions options;
    options.kind = OptimizerKind::kAdam;
    options.weight_decay = 0.02;
    EXPECT_LT(difference(options, 0.05,
                         [](auto p) {
                             return std::make_unique<torch::optim::Adam>(
                                 p, torch::optim::AdamOptions(0.05).weight_decay(0.02));
                         }),
              1e-5);
}

TEST(Optimizer, AdamWIsTorchs) {
    OptimizerOptions options;
    options.kind = OptimizerKind::kAdamW;
    options.weight_decay = 0.1;
    EXPECT_LT(difference(options, 0.05,
                         [](auto p) {
                             return std::make_unique<torch::optim::AdamW>(
                                 p, torch::optim::AdamWOptions(0.05).weight_decay(0.1));
                         }),
              1e-5);
}

TEST(Optimizer, DpAdamWithoutNoiseIsAdamAndWithNoiseTakesLongerSteps) {
    OptimizerOptions adam, dp;
    adam.kind = OptimizerKind::kAdam;
    adam.epsilon = 0;
    dp.kind = OptimizerKind::kDpAdam;
    dp.variance_floor = 0;
    const at::Tensor gradient = torch::full({3}, 0.2);
    const auto moved = [&](const OptimizerOptions& options) {
        std::vector<at::Tensor> values{torch::zeros({3})};
        Optimizer(options).step(values, {gradient}, 0.1);
        return -values[0][0].item<double>();
    };
    EXPECT_NEAR(moved(dp), moved(adam), 1e-7);
    dp.noise_variance = 0.03;  // of 0.04, the squared gradient: the deviation is halved
    EXPECT_NEAR(moved(dp), 2 * moved(adam), 1e-5);
}

TEST(Optimizer, RestoredStateGoesOnExactly) {
    OptimizerOptions options;
    options.kind = OptimizerKind::kAdam;
    std::vector<at::Tensor> one{torch::ones({4})};
    Optimizer first(options);
    for (int i = 0; i < 3; ++i) first.step(one, {one[0] * 0.3}, 0.1);
    std::vector<at::Tensor> two{one[0].clone()};
    Optimizer second(options);
    second.restore(first.state(), first.steps_taken());
    first.step(one, {one[0] * 0.3}, 0.1);
    second.step(two, {two[0] * 0.3}, 0.1);
    EXPECT_TRUE(at::equal(one[0], two[0]));
}

TEST(Optimizer, RefusesValuesOutOfRange) {
    OptimizerOptions options;
    options.momentum = 1;
    EXPECT_THROW(Optimizer{options}, Error);
    EXPECT_THROW(parse_optimizer("sgdd"), Error);
}

TEST(Schedule, FollowsItsShape) {
    EXPECT_DOUBLE_EQ((Schedule{ScheduleKind::kConstant, 0.5, 0}.at(99, 100)), 0.5);
    EXPECT_DOUBLE_EQ((Schedule{ScheduleKind::kLinear, 1, 0}.at(50, 100)), 0.5);
    EXPECT_NEAR((Schedule{ScheduleKind::kCosine, 1, 0}.at(50, 100)), 0.5, 1e-12);
    EXPECT_LT((Schedule{ScheduleKind::kConstant, 1, 0.1}.at(0, 100)), 0.1);
    EXPECT_DOUBLE_EQ((Schedule{ScheduleKind::kConstant, 1, 0.1}.at(10, 100)), 1);
    EXPECT_THROW(parse_schedule("step"), Error);
}

}  // namespace
}  // namespace ward::train
