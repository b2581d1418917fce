#include "ward/mpc/learn/job_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ward/core/testing/errors.h"
#include "ward/core/testing/seeded_random.h"
#include "ward/data/load.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/learn/export_model.h"

namespace ward::mpc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(JobFile, MaliciousSecurityNeedsTheExactTruncation) {
    const std::string job = "ward_mpc_job: 1\ndata: digits\nsecurity: malicious\n";
    EXPECT_EQ(parse_job(job, "job.yaml").security, Security::kMalicious);
    EXPECT_EQ(parse_job("ward_mpc_job: 1\ndata: digits\n", "job.yaml").security,
              Security::kSemiHonest);
    EXPECT_THAT(testonly::message_of([&] { (void)parse_job(job + "truncation: fast\n", "j"); }),
                HasSubstr("security: malicious needs truncation: exact"));
    EXPECT_THAT(testonly::message_of(
                    [&] { (void)parse_job("ward_mpc_job: 1\ndata: d\nsecurity: covert\n", "j"); }),
                HasSubstr("security must be semi-honest or malicious"));
}

TEST(JobFile, ReadsAllKeys) {
    const JobFile job = parse_job(
        "ward_mpc_job: 1\ndata: digits\nlabel: y\nhidden: [32, 16]\nepochs: 3\nbatch_size: 64\n"
        "learning_rate: 0.1\nmomentum: 0.5\ndecay: 0.9\ntruncation: fast\n",
        "job.yaml");
    EXPECT_EQ(job.data, "digits");
    EXPECT_EQ(job.label, "y");
    EXPECT_THAT(job.hidden, ElementsAre(32, 16));
    EXPECT_EQ(job.epochs, 3);
    EXPECT_EQ(job.options.batch_size, 64u);
    EXPECT_EQ(job.options.learning_rate, 0.1);
    EXPECT_EQ(job.options.momentum, 0.5);
    EXPECT_EQ(job.decay, 0.9);
    EXPECT_EQ(job.truncation, Truncation::kFast);
}

TEST(JobFile, ReadsLayersAsModelSpecsNameThem) {
    using Kind = NetworkLayer::Kind;
    const JobFile job = parse_job(
        "ward_mpc_job: 1\nexamples: 100\ninput_shape: [1, 12, 12]\nclasses: 3\noptimizer: adam\n"
        "loss: squared\nlayers:\n  - conv2d: {out_channels: 4, kernel: 3, padding: 1}\n"
        "  - max_pool2d: {kernel: 3}\n  - relu\n  - linear: {out_features: 7}\n",
        "job.yaml");
    const TrainingJob training = public_job(job);
    EXPECT_EQ(training.shape.inputs(), 144u);
    EXPECT_EQ(training.shape.image, (ImageShape{12, 12, 1}));
    const std::vector<NetworkLayer> expected = {{Kind::kConvolution, 4, 3, 1, 1},
                                                {Kind::kMaxPool, 0, 3, 2, 0},
                                                {.kind = Kind::kRelu},
                                                {Kind::kDense, 7},
                                                {Kind::kDense, 3}};
    EXPECT_EQ(training.shape.layers, expected);
    EXPECT_EQ(training.options.optimizer, Optimizer::kAdam);
    EXPECT_EQ(training.options.loss, Loss::kSquared);
    const auto refused = [](const std::string& layers) {
        return testonly::message_of(
            [&] { (void)parse_job("ward_mpc_job: 1\ndata: d\nlayers:\n" + layers, "j"); });
    };
    EXPECT_THAT(refused("  - tanh\n"), HasSubstr("line 4: layers are linear, conv2d"));
    EXPECT_THAT(refused("  - conv2d: {kernel: 3}\n"), HasSubstr("the number of its outputs"));
    EXPECT_THAT(refused("  - conv2d: {out_channels: 3}\n"), HasSubstr("needs a kernel"));
    EXPECT_THAT(refused("  - relu: {slope: 1}\n"), HasSubstr("relu has no slope"));
    EXPECT_THAT(refused("  - relu\nhidden: [3]\n"), HasSubstr("exclude each other"));
}

constexpr const char* kRecipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

std::string owners_job(const std::string& rest, size_t owners = 2) {
    std::string text = "ward_mpc_job: 1\nowners:\n";
    for (size_t i = 0; i < owners; ++i) {
        text += "  - {name: bank-" + std::to_string(i) + ", id: " + std::string(63, 'a') +
                std::to_string(i) + "}\n";
    }
    return text + "recipients: [" + kRecipient + "]\n" + rest;
}

TEST(JobFile, OwnersTakeThePlaceOfData) {
    const JobFile file = parse_job(owners_job("align: vertical\nhidden: [3]\n"), "j");
    EXPECT_EQ(file.owners.size(), 2u);
    EXPECT_EQ(file.owners[1].name, "bank-1");
    EXPECT_EQ(file.alignment, Alignment::kVertical);
    EXPECT_THAT(file.recipients, ElementsAre(kRecipient));
    const TrainingJob job = shared_job(file, {.rows = 90, .features = 7, .label_columns = 3});
    EXPECT_THAT(job.shape.widths, ElementsAre(7, 3, 3));
    EXPECT_EQ(job.examples, 90u);
    // Whoever changes an owner's data, the recipients or anything of the text changes the job.
    const auto digest = [](const std::string& text) {
        return shared_job(parse_job(text, "j"), {90, 7, 3}).digest();
    };
    const std::string text = owners_job("align: horizontal\n");
    std::string other = text;
    other.replace(other.find(std::string(63, 'a')), 1, "b");
    EXPECT_NE(digest(text), digest(other));
    EXPECT_NE(digest(text), digest(text + "#\n"));
    EXPECT_EQ(digest(text), digest(text));

    const auto refused = [](const std::string& rest, size_t owners = 2) {
        return testonly::message_of([&] { (void)parse_job(owners_job(rest, owners), "j"); });
    };
    EXPECT_THAT(refused(""), HasSubstr("several owners need align"));
    EXPECT_THAT(refused("align: vertical\n", 1), HasSubstr("one owner needs no align"));
    EXPECT_THAT(refused("align: diagonal\n"), HasSubstr("must be vertical, rows or horizontal"));
    EXPECT_THAT(refused("align: vertical\ndistinct: true\n"), HasSubstr("align: horizontal"));
    EXPECT_EQ(parse_job(owners_job("align: rows\nsecurity: malicious\n"), "j").alignment,
              Alignment::kRows);
    EXPECT_THAT(refused("align: vertical\ndata: x\n"), HasSubstr("take the place of data"));
    EXPECT_THAT(refused("align: vertical\nrecipients: [me]\n"), HasSubstr("stands twice"));
    const auto plain = [](const std::string& rest) {
        return testonly::message_of([&] { (void)parse_job("ward_mpc_job: 1\n" + rest, "j"); });
    };
    EXPECT_THAT(plain("recipients: [me]\n"), HasSubstr("line 2"));
    EXPECT_THAT(plain("data: x\nalign: vertical\n"), HasSubstr("need owners"));
    EXPECT_THAT(plain("owners: [{name: a, id: 12}]\n"), HasSubstr("64 digits, that `ward mpc share`"));
    EXPECT_THAT(plain("owners: [{who: a}]\n"), HasSubstr("an owner has no who"));
}

TEST(JobFile, ReadsStatistics) {
    const JobFile file =
        parse_job(owners_job("statistics: {bound: 4, edges: [0, 1], quantiles: [0.5]}\n", 1), "j");
    ASSERT_TRUE(file.statistics.has_value());
    EXPECT_EQ(file.statistics->bound, 4);
    EXPECT_THAT(file.statistics->edges, ElementsAre(0, 1));
    EXPECT_EQ(file.statistics->noise_multiplier, 0);
    const JobFile noisy =
        parse_job(owners_job("statistics: {edges: [0], epsilon: 2, delta: 1e-6}\n", 1), "j");
    EXPECT_LE(statistics_epsilon(noisy.statistics->noise_multiplier, noisy.statistics_delta), 2);
    EXPECT_GE(statistics_epsilon(noisy.statistics->noise_multiplier, noisy.statistics_delta), 1.99);
    const auto refused = [](const std::string& rest) {
        return testonly::message_of(
            [&] { (void)parse_job(owners_job("statistics: " + rest + "\n", 1), "j"); });
    };
    EXPECT_THAT(refused("{epsilon: 1}"), HasSubstr("epsilon and delta go together"));
    EXPECT_THAT(refused("{quantiles: [0.5], epsilon: 1, delta: 1e-6}"),
                HasSubstr("no private form"));
    EXPECT_THAT(refused("{quantiles: [2]}"), HasSubstr("(0, 1]"));
    EXPECT_THAT(refused("{median: true}"), HasSubstr("statistics has no median"));
}

TEST(JobFile, RefusesWithFileAndLine) {
    const auto refused = [](const std::string& text) {
        return testonly::message_of([&] { parse_job("ward_mpc_job: 1\n" + text, "job.yaml"); });
    };
    EXPECT_EQ(refused("data: x\nepoch: 3\n"), "job.yaml line 3: there is no key epoch");
    EXPECT_EQ(refused("data: x\ndata: y\n"), "job.yaml line 3: data stands twice");
    EXPECT_THAT(refused("epochs: 3\n"), HasSubstr("data is missing"));
    EXPECT_THAT(refused("epochs: 0\n"), HasSubstr("line 2: epochs must be a whole number from 1"));
    EXPECT_THAT(refused("learning_rate: .nan\n"), HasSubstr("(0, 16]"));
    EXPECT_THAT(refused("momentum: 1\n"), HasSubstr("[0, 1)"));
    EXPECT_THAT(refused("hidden: [8, 0]\n"), HasSubstr("a width of hidden"));
    EXPECT_THAT(refused("truncation: none\n"), HasSubstr("exact or fast"));
    EXPECT_THAT(refused("data: [\n"), HasSubstr("not YAML"));
    EXPECT_THAT(testonly::message_of([] { parse_job("data: x\n", "j"); }),
                HasSubstr("ward_mpc_job: 1 is missing"));
}

TEST(ExportModel, HoldsTheWeightsAsLinearLayersHaveThem) {
    const data::Dataset set = data::load_dataset({.data = "breast-cancer"}).dataset;
    const JobFile file = parse_job("ward_mpc_job: 1\ndata: breast-cancer\nhidden: [4]\n", "j");
    const TrainingJob job = job_for(file, set);
    EXPECT_EQ(job.shape.widths.back(), 1u);
    Random random = testonly::seeded_random(1);
    const NetworkWeights network = initial_weights(job.shape, random);
    const model::Model model = to_model(network, set);
    const model::Weight& hidden = model.weights.at("hidden1.weight");
    const model::Weight& output = model.weights.at("output.weight");
    const size_t inputs = job.shape.widths[0];
    EXPECT_EQ(hidden.shape, (model::Shape{4, static_cast<int64_t>(inputs)}));
    EXPECT_EQ(hidden.values[2 * inputs + 5],
              static_cast<float>(decode(network.weights[0].values[5 * 4 + 2])));
    EXPECT_EQ(output.shape, (model::Shape{2, 4}));
    EXPECT_EQ(output.values[1], 0.0f);
    EXPECT_EQ(output.values[6], static_cast<float>(decode(network.weights[1].values[2])));
}

// Values of the exported model at places that the order of channels moves.
TEST(ExportModel, PutsChannelsWhereConvolutionsHaveThem) {
    data::Dataset set;
    set.name = "images";
    set.example_shape = {2, 4, 4};
    set.class_names = {"a", "b", "c"};
    NetworkShape shape{
        .widths = {},
        .image = {4, 4, 2},
        .layers = {{.kind = NetworkLayer::Kind::kConvolution, .outputs = 3, .kernel = 2},
                   {.kind = NetworkLayer::Kind::kRelu},
                   {.kind = NetworkLayer::Kind::kDense, .outputs = 3}}};
    Random random = testonly::seeded_random(1);
    const NetworkWeights network = initial_weights(shape, random);
    const model::Model model = to_model(network, set);
    const model::Weight& conv = model.weights.at("conv1.weight");
    EXPECT_EQ(conv.shape, (model::Shape{3, 2, 2, 2}));
    // Output 1, channel 1, row 0, column 1.
    EXPECT_EQ(conv.values[((1 * 2 + 1) * 2 + 0) * 2 + 1],
              static_cast<float>(decode(network.weights[0].values[((0 * 2 + 1) * 2 + 1) * 3 + 1])));
    // Of the dense layer: output 2, channel 1, row 2, column 0 of 3 x 3 pixels.
    const model::Weight& output = model.weights.at("output.weight");
    EXPECT_EQ(output.shape, (model::Shape{3, 27}));
    EXPECT_EQ(output.values[2 * 27 + 1 * 9 + 2 * 3 + 0],
              static_cast<float>(decode(network.weights[1].values[((2 * 3 + 0) * 3 + 1) * 3 + 2])));
}

}  // namespace
}  // namespace ward::mpc
