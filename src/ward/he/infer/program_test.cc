#include "ward/he/infer/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ward/core/error.h"
#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/he/infer/internal/slot_plan.h"
#include "ward/he/infer/precision.h"
#include "ward/he/internal/evaluate.h"
#include "ward/he/testing/small_models.h"

namespace ward::he {
namespace {

using testing::HasSubstr;
using testonly::random_example;
using testonly::random_model;
using ward::testonly::any_message_of;
using ward::testonly::seeded_random;

const model::Activation kSquare{model::Activation::Function::kSquare};
const model::Activation kRelu{model::Activation::Function::kRelu};

model::Model small_cnn(Random& random) {
    return random_model("cnn", {1, 8, 8}, 3,
                        {{"c1", model::Conv2d{3, 3, 2, 1, 1, true}},
                         {"a1", kSquare},
                         {"f", model::Flatten{}},
                         {"l", model::Linear{3, true, ""}}},
                        random);
}

// What LinearTransform and folds do to the slots, in the clear.
std::vector<double> in_slots(const Stage& stage, const internal::Layout& input,
                             const internal::StageLayout& how, const std::vector<double>& x) {
    const auto slots = internal::place(input, x);
    std::vector<double> sums(static_cast<size_t>(how.matrix_period));
    for (const auto& [k, places] : internal::fill_diagonals(stage, input, how)) {
        for (size_t s = 0; s < sums.size(); ++s) {
            sums[s] += places[s] * slots[(s + static_cast<size_t>(k)) % slots.size()];
        }
    }
    for (int step : how.folds) {
        std::vector<double> folded(sums.size());
        for (size_t s = 0; s < sums.size(); ++s) {
            folded[s] = sums[s] + sums[(s + static_cast<size_t>(step)) % sums.size()];
        }
        sums = folded;
    }
    return sums;
}

// Every layout that may be chosen computes the matrix, repeats with its period, and stays in
// bounds.
TEST(Layout, AllCandidatesComputeTheMatrix) {
    Random random = seeded_random(1);
    const model::Model m = random_model("deep", {2, 8, 8}, 3,
                                        {{"c1", model::Conv2d{4, 3, 2, 1, 1, true}},
                                         {"a1", kSquare},
                                         {"c2", model::Conv2d{6, 2, 1, 0, 2, true}},
                                         {"a2", kSquare},
                                         {"f", model::Flatten{}},
                                         {"l", model::Linear{3, true, ""}}},
                                        random);
    const Network network = lower(m);
    std::vector<internal::Layout> inputs{internal::input_layout(network)};
    int folds = 0, grids = 0;
    for (const Stage& stage : network.stages) {
        std::vector<internal::Layout> next;
        std::vector<double> x(static_cast<size_t>(stage.matrix.columns));
        for (double& v : x) v = 2 * random.uniform01() - 1;
        Network one{"", {}, stage.matrix.columns, stage.matrix.rows, {stage}};
        one.stages[0].has_activation = false;
        const auto expected = evaluate(one, x);
        const std::vector<Interval> units(x.size(), Interval{-1, 1});
        for (const auto& input : inputs) {
            for (const auto& how : internal::candidates(stage, input, 1024)) {
                (how.kind == internal::StageLayout::Kind::kGrid ? grids : folds)++;
                const auto got = in_slots(stage, input, how, x);
                ASSERT_EQ(got.size() % static_cast<size_t>(how.output.period), 0u);
                for (size_t u = 0; u < expected.size(); ++u) {
                    for (size_t s = how.output.slot[u]; s < got.size(); s += how.output.period) {
                        ASSERT_NEAR(got[s] + stage.bias[u], expected[u], 1e-9);
                    }
                }
                internal::SlotStage priced{how, how.matrix_period, {}, 0};
                const auto bounds = internal::slot_bounds(
                    stage, input, priced, std::vector<std::vector<Interval>>{units});
                for (double v : got) ASSERT_LE(std::abs(v), bounds.final + 1e-12);
                next.push_back(how.output);
            }
        }
        inputs = std::move(next);
        if (inputs.size() > 12) inputs.resize(12);
    }
    EXPECT_GT(folds, 50);
    EXPECT_GT(grids, 5);
}

// Rows in several blocks leave sums of parts between them; the last stage must not.
TEST(Layout, TheLastStageLeavesNoRests) {
    Random random = seeded_random(9);
    int blocks_before = 0;
    for (int64_t in : {16, 60, 200}) {
        for (int64_t hidden : {20, 100}) {
            for (int64_t out : {3, 10, 40}) {
                const Network network = lower(random_model("mlp", {in}, out,
                                                           {{"l1", model::Linear{hidden, true, ""}},
                                                            {"a", kSquare},
                                                            {"l2", model::Linear{out, true, ""}}},
                                                           random));
                const auto chosen = internal::choose_layouts(network, 4096);
                const auto& first = chosen.stages[0].layout;
                const auto& last = chosen.stages[1].layout;
                EXPECT_EQ(last.matrix_period, first.output.period);
                blocks_before += first.matrix_period > chosen.input.period;
            }
        }
    }
    EXPECT_GT(blocks_before, 0);  // where it is allowed, it is chosen
}

// Keys, plan and program of one model.
struct World {
    World(model::Model m, Packing packing, const LowerOptions& options = {})
        : random(seeded_random(7)),
          model(std::move(m)),
          network(lower(model, options)),
          whole(plan(network, {.packing = packing, .input = {-1, 1}})),
          client(client_plan(whole), random),
          keys(client.evaluation_keys(random)),
          program(network, whole, client.context()) {}

    // Outputs are those of the network in the clear, to within the bound that they carry.
    void expect_examples(int64_t count, double useful) {
        std::vector<double> x, expected;
        for (int64_t i = 0; i < count; ++i) {
            const auto example = random_example(model, random);
            x.insert(x.end(), example.begin(), example.end());
            const auto y = evaluate(network, example);
            expected.insert(expected.end(), y.begin(), y.end());
        }
        const auto outputs = program.run(client.encrypt(x, random), keys);
        double bound = 0;
        for (const Ciphertext& c : outputs) {
            EXPECT_EQ(c.level(), 0);
            EXPECT_LE(c.value_bound(), whole.value_bound * (1 + 1e-9) + 1);
            bound = std::max(bound, c.error_bound());
        }
        EXPECT_LT(bound, useful);
        const auto got = client.decrypt(outputs, count);
        ASSERT_EQ(got.size(), expected.size());
        for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], bound);
    }

    Random random;
    model::Model model;
    Network network;
    Plan whole;
    InferenceClient client;
    EvaluationKeys keys;
    Program program;
};

TEST(Program, OneImage) {
    Random random = seeded_random(2);
    World world(small_cnn(random), Packing::kSingle);
    EXPECT_TRUE(world.whole.bounds_proven);
    world.expect_examples(1, 1e-2);
    world.expect_examples(1, 1e-2);
}

// Sums of parts of rows would tell the owner of the key more than the outputs do.
TEST(Program, NothingButOutputsIsInTheSlots) {
    Random random = seeded_random(8);
    World world(random_model("wide", {1, 12, 12}, 5,
                             {{"c1", model::Conv2d{4, 3, 1, 1, 1, true}},
                              {"a1", kSquare},
                              {"f", model::Flatten{}},
                              {"l", model::Linear{5, true, ""}}},
                             random),
                Packing::kSingle);
    const auto x = random_example(world.model, world.random);
    const Ciphertext y = world.program.run(world.client.encrypt(x, world.random), world.keys)[0];
    const auto slots =
        CkksEncoder(world.client.context()).decode(decrypt_for_owner(world.client.secret(), y));
    auto allowed = evaluate(world.network, x);
    allowed.push_back(0);
    for (double slot : slots) {
        const auto near = std::min_element(
            allowed.begin(), allowed.end(),
            [slot](double a, double b) { return std::abs(a - slot) < std::abs(b - slot); });
        ASSERT_NEAR(slot, *near, 1e-4);
    }
}

TEST(Program, PoolsInBothPackings) {
    for (Packing packing : {Packing::kSingle, Packing::kBatch}) {
        Random random = seeded_random(10);
        World world(random_model("pools", {2, 6, 6}, 2,
                                 {{"p1", model::AvgPool2d{2, 2, 0}},
                                  {"c1", model::Conv2d{2, 2, 1, 0, 1, true}},
                                  {"a1", kSquare},
                                  {"p2", model::AvgPool2d{2, 2, 0}},
                                  {"f", model::Flatten{}},
                                  {"l", model::Linear{2, true, ""}}},
                                 random),
                    packing);
        world.expect_examples(1, 1e-2);
    }
}

// A residual network with a shortcut over two levels and one with a projection, and a block behind
// the flattening: what is added comes from other levels, scales and layouts.
TEST(Program, ResidualBlocks) {
    const model::LayerSpec square{"s", kSquare};
    for (Packing packing : {Packing::kSingle, Packing::kBatch}) {
        Random random = seeded_random(13);
        World world(
            random_model("residual", {1, 6, 6}, 2,
                         {{"c", model::Conv2d{2, 3, 1, 1, 1, true}},
                          {"b1", model::Residual{{{"a", model::Conv2d{2, 3, 1, 1, 1, true}},
                                                  square,
                                                  {"b", model::Conv2d{4, 3, 2, 1, 1, true}}},
                                                 {{"p", model::Conv2d{4, 1, 2, 0, 1, true}}}}},
                          {"f", model::Flatten{}},
                          {"h", model::Linear{6, true, ""}},
                          {"b2", model::Residual{{{"a", model::Linear{5, true, ""}},
                                                  square,
                                                  {"b", model::Linear{6, true, ""}}},
                                                 {}}},
                          {"l", model::Linear{2, true, ""}}},
                         random),
            packing);
        ASSERT_GE(world.network.stages.size(), 3u);
        EXPECT_FALSE(world.network.stages.back().skips.empty());
        world.expect_examples(1, 1e-2);
        world.expect_examples(1, 1e-2);
    }
}

// A sender that claims smaller errors would get less noise over the weights.
TEST(Program, BoundsOfRequestsAreAtLeastThoseOfThePlan) {
    for (Packing packing : {Packing::kSingle, Packing::kBatch}) {
        Random random = seeded_random(18);
        World world(random_model("claims", {6}, 2,
                                 {{"l1", model::Linear{4, true, ""}},
                                  {"a", kSquare},
                                  {"l2", model::Linear{2, true, ""}}},
                                 random),
                    packing);
        const auto honest = world.client.encrypt(random_example(world.model, random), random);
        std::vector<Ciphertext> claimed;
        for (const Ciphertext& c : honest) claimed.push_back(internal::with_bounds(c, 0, 0));
        const auto expected = world.program.run(honest, world.keys);
        const auto got = world.program.run(claimed, world.keys);
        for (size_t i = 0; i < got.size(); ++i) {
            EXPECT_GT(got[i].error_bound(), 0.9 * expected[i].error_bound());
            EXPECT_EQ(got[i].value_bound(), expected[i].value_bound());
        }
    }
}

// For squares and for polynomials, one example and a batch; small networks come out better.
TEST(Program, PrecisionIsForeseen) {
    for (Packing packing : {Packing::kSingle, Packing::kBatch}) {
        for (const model::Activation& activation : {kSquare, kRelu}) {
            Random random = seeded_random(17);
            const model::Model m = random_model("foreseen", {12}, 3,
                                                {{"l1", model::Linear{16, true, ""}},
                                                 {"a", activation},
                                                 {"l2", model::Linear{3, true, ""}}},
                                                random);
            std::vector<float> calibration;
            for (int i = 0; i < 100; ++i) {
                for (double v : random_example(m, random)) {
                    calibration.push_back(static_cast<float>(v));
                }
            }
            World world(m, packing, {.activation_degree = 7, .calibration = calibration});
            std::vector<double> examples;
            double error = 0;
            for (int i = 0; i < 4; ++i) {
                const auto x = random_example(m, random);
                examples.insert(examples.end(), x.begin(), x.end());
                const auto expected = evaluate(world.network, x);
                const auto got = world.client.decrypt(
                    world.program.run(world.client.encrypt(x, random), world.keys), 1);
                for (size_t k = 0; k < got.size(); ++k) {
                    error = std::max(error, std::abs(got[k] - expected[k]));
                }
            }
            const double foreseen = simulated_error(world.network, world.whole, examples);
            EXPECT_LT(error, 4 * foreseen);
            EXPECT_GT(error, foreseen / 256);
        }
    }
}

TEST(Program, ABatch) {
    Random random = seeded_random(3);
    World world(random_model("batch", {6}, 2,
                             {{"l1", model::Linear{4, true, ""}},
                              {"a", kSquare},
                              {"l2", model::Linear{2, true, ""}}},
                             random),
                Packing::kBatch);
    EXPECT_GE(world.client.plan().examples, 4096);
    world.expect_examples(3, 1e-2);
    world.expect_examples(world.client.plan().examples, 1e-2);
}

TEST(Program, PolynomialsInPlaceOfOtherActivations) {
    for (Packing packing : {Packing::kSingle, Packing::kBatch}) {
        Random random = seeded_random(4);
        const model::Model m = random_model(
            "relu", {5}, 2,
            {{"l1", model::Linear{6, true, ""}}, {"a", kRelu}, {"l2", model::Linear{2, true, ""}}},
            random);
        std::vector<float> examples;
        for (int i = 0; i < 200; ++i) {
            for (double v : random_example(m, random)) examples.push_back(static_cast<float>(v));
        }
        World world(m, packing, {.activation_degree = 5, .calibration = examples, .margin = 2});
        EXPECT_FALSE(world.whole.bounds_proven);
        world.expect_examples(1, 1e-1);
    }
}

TEST(Program, PlansSayWhatRuns) {
    Random random = seeded_random(5);
    World world(small_cnn(random), Packing::kSingle);
    const Plan& p = world.whole;
    ASSERT_EQ(p.stages.size(), 2u);
    EXPECT_EQ(p.stages[0].level, 3);
    EXPECT_EQ(p.stages[1].level, 1);
    EXPECT_EQ(world.keys.galois.size(), p.rotations.size());
    const std::string text = to_text(p);
    EXPECT_THAT(text, HasSubstr("c1 at level 3"));
    EXPECT_THAT(text, HasSubstr("proven for inputs in [-1, 1]"));
    EXPECT_THAT(text, HasSubstr("revealed"));
    // The same request, the same plan.
    const Plan again = plan(world.network, {.input = {-1, 1}});
    EXPECT_EQ(to_text(again), text);
    EXPECT_EQ(again.parameters, p.parameters);
    EXPECT_EQ(again.rotations, p.rotations);
}

TEST(Program, RefusesWhatDoesNotFit) {
    Random random = seeded_random(6);
    World world(small_cnn(random), Packing::kSingle);
    const std::vector<double> x(64, 0.5);
    EXPECT_THAT(
        any_message_of([&] { world.client.encrypt(std::vector<double>(63), world.random); }),
        HasSubstr("examples of 64 inputs, got 63 numbers"));
    EXPECT_THAT(
        any_message_of([&] { world.client.encrypt(std::vector<double>(64, 1.5), world.random); }),
        HasSubstr("outside the plan's range"));
    EXPECT_THAT(
        any_message_of([&] { world.client.encrypt(std::vector<double>(64, NAN), world.random); }),
        HasSubstr("outside the plan's range"));
    const auto up = world.client.encrypt(x, world.random);
    EXPECT_THAT(any_message_of([&] {
                    world.program.run(std::vector<Ciphertext>{up[0], up[0]}, world.keys);
                }),
                HasSubstr("expected one ciphertext, got 2"));
    // A result of fewer slots than the plan reads.
    const Ciphertext one_slot =
        encrypt(world.client.secret(),
                CkksEncoder(world.client.context())
                    .encode(std::vector<double>{0.5}, {.bound = 1, .level = 0, .slots = 1}),
                world.random);
    EXPECT_THAT(any_message_of([&] { world.client.decrypt(up, 1); }),
                HasSubstr("encrypted inputs, not the result"));
    EXPECT_THAT(any_message_of([&] { world.client.decrypt(std::vector<Ciphertext>{one_slot}, 1); }),
                HasSubstr("a result has 1 slots"));
    const EvaluationKeys none{world.keys.relin, GaloisKeys(world.client.context()),
                              world.keys.public_key};
    EXPECT_THAT(any_message_of([&] { world.program.run(up, none); }), HasSubstr("no Galois key"));
    const InferenceClient other(world.client.plan(), world.random);
    const auto down = world.program.run(up, other.evaluation_keys(world.random));
    EXPECT_THAT(any_message_of([&] { world.client.decrypt(down, 1); }),
                HasSubstr("out of its bounds"));
    EXPECT_THAT(any_message_of([&] { world.client.decrypt(down, 2); }),
                HasSubstr("up to 1 examples"));
    const model::Model wide =
        random_model("other", {64}, 3, {{"l", model::Linear{3, true, ""}}}, random);
    EXPECT_THAT(any_message_of([&] { Program(lower(wide), world.whole, world.client.context()); }),
                HasSubstr("another network"));
    EXPECT_THAT(any_message_of([&] {
                    plan(world.network, {.input = {1, -1}});
                }),
                HasSubstr("range of inputs"));
}

}  // namespace
}  // namespace ward::he
