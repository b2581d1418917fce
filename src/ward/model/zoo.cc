#include "ward/model/zoo.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "ward/core/error.h"

namespace ward::model {
namespace {

// Appends layers to a list, with activations as the options want them.
class Builder {
  public:
    explicit Builder(const ZooOptions& options) : options_(options) {}

    Builder& add(const std::string& name, LayerKind kind) {
        layers_.emplace_back(name, std::move(kind));
        return *this;
    }
    Builder& act(const std::string& name) { return add(name, Activation{options_.activation}); }
    Builder& linear(const std::string& name, int64_t out_features) {
        return add(name, Linear{out_features, true, ""});
    }
    Builder& conv(const std::string& name, int64_t channels, int64_t kernel, int64_t stride,
                  int64_t padding, bool bias = true) {
        return add(name, Conv2d{channels, kernel, stride, padding, 1, bias});
    }
    Builder& norm(const std::string& name, int64_t channels) {
        return add(name, GroupNorm{std::min<int64_t>(32, channels), 1e-5});
    }
    std::vector<LayerSpec> take() { return std::move(layers_); }

  private:
    const ZooOptions& options_;
    std::vector<LayerSpec> layers_;
};

[[noreturn]] void refuse(const std::string& model, const std::string& expected,
                         const ZooOptions& options, const std::string& hint = {}) {
    throw Error(ErrorCode::kInvalid,
                model + " needs " + expected + ", got inputs " + shape_text(options.input_shape),
                hint);
}

void need_real_numbers(const std::string& model, const ZooOptions& options) {
    if (options.vocabulary > 0) {
        refuse(model, "real numbers, not tokens", options, "use transformer or lstm");
    }
}

// Images of at least `least` x `least`.
void need_image(const std::string& model, const ZooOptions& options, int64_t least) {
    const Shape& shape = options.input_shape;
    if (options.vocabulary == 0 && shape.size() == 3 && shape[1] >= least && shape[2] >= least) {
        return;
    }
    refuse(model,
           "an image {channels, height, width} of at least " + std::to_string(least) + " x " +
               std::to_string(least),
           options, "use logistic or mlp for tables, transformer or lstm for sequences");
}

std::vector<LayerSpec> logistic(const ZooOptions& options) {
    need_real_numbers("logistic", options);
    return Builder(options).add("flatten", Flatten{}).linear("output", options.outputs).take();
}

std::vector<LayerSpec> mlp(const ZooOptions& options) {
    need_real_numbers("mlp", options);
    const std::vector<int64_t> widths =
        options.hidden.empty() ? std::vector<int64_t>{256, 128} : options.hidden;
    Builder net(options);
    net.add("flatten", Flatten{});
    for (size_t i = 0; i < widths.size(); ++i) {
        const std::string number = std::to_string(i + 1);
        net.linear("hidden" + number, widths[i]).act("act" + number);
    }
    return net.linear("output", options.outputs).take();
}

// For images such as the 8 x 8 digits.
std::vector<LayerSpec> small_cnn(const ZooOptions& options) {
    return Builder(options)
        .conv("conv1", 16, 3, 1, 1)
        .act("act1")
        .conv("conv2", 32, 3, 1, 1)
        .act("act2")
        .add("pool", MaxPool2d{2, 2, 0})
        .add("flatten", Flatten{})
        .linear("hidden", 32)
        .act("act3")
        .linear("output", options.outputs)
        .take();
}

// The MNIST network of Papernot et al., "Tempered Sigmoid Activations for Deep Learning with
// Differential Privacy" (AAAI 2021), table 1, also of Tramer and Boneh (ICLR 2021): 26,010
// parameters on 28 x 28.
std::vector<LayerSpec> mnist_cnn(const ZooOptions& options) {
    return Builder(options)
        .conv("conv1", 16, 8, 2, 3)
        .act("act1")
        .add("pool1", MaxPool2d{2, 1, 0})
        .conv("conv2", 32, 4, 2, 0)
        .act("act2")
        .add("pool2", MaxPool2d{2, 1, 0})
        .add("flatten", Flatten{})
        .linear("hidden", 32)
        .act("act3")
        .linear("output", options.outputs)
        .take();
}

// The CIFAR-10 network of the same papers (conv 32 32, 64 64, 128 128, linear 128), with further
// stages of 128 channels until the image is at most 7 pixels in one direction.
std::vector<LayerSpec> staged_cnn(const ZooOptions& options) {
    Builder net(options);
    int64_t size = std::min(options.input_shape[1], options.input_shape[2]);
    for (int stage = 1; stage <= 3 || size > 7; ++stage, size /= 2) {
        const int64_t channels = stage == 1 ? 32 : stage == 2 ? 64 : 128;
        const std::string number = std::to_string(stage);
        net.conv("conv" + number + "a", channels, 3, 1, 1).act("act" + number + "a");
        net.conv("conv" + number + "b", channels, 3, 1, 1).act("act" + number + "b");
        net.add("pool" + number, MaxPool2d{2, 2, 0});
    }
    return net.add("flatten", Flatten{})
        .linear("hidden", 128)
        .act("act")
        .linear("output", options.outputs)
        .take();
}

std::vector<LayerSpec> cnn(const ZooOptions& options) {
    need_image("cnn", options, 2);
    const int64_t size = std::min(options.input_shape[1], options.input_shape[2]);
    if (size < 16) return small_cnn(options);
    return size < 32 ? mnist_cnn(options) : staged_cnn(options);
}

// He et al. 2016, basic block, with GroupNorm (32 groups) for BatchNorm, which has no per-example
// gradient.
Residual resnet_block(const ZooOptions& options, int64_t channels, int64_t stride, bool project) {
    Residual block;
    block.body = Builder(options)
                     .conv("conv1", channels, 3, stride, 1, false)
                     .norm("norm1", channels)
                     .act("act1")
                     .conv("conv2", channels, 3, 1, 1, false)
                     .norm("norm2", channels)
                     .take();
    if (project) {
        block.shortcut = Builder(options)
                             .conv("conv", channels, 1, stride, 0, false)
                             .norm("norm", channels)
                             .take();
    }
    return block;
}

std::vector<LayerSpec> resnet18(const ZooOptions& options) {
    need_image("resnet18-gn", options, 8);
    Builder net(options);
    net.conv("conv1", 64, 3, 1, 1, false).norm("norm1", 64).act("act1");
    int number = 0;
    for (int64_t channels : {64, 128, 256, 512}) {
        for (int i = 0; i < 2; ++i) {
            const bool first = i == 0 && channels > 64;
            const std::string name = "block" + std::to_string(++number);
            net.add(name, resnet_block(options, channels, first ? 2 : 1, first));
            net.act(name + "_act");
        }
    }
    return net.add("pool", GlobalAvgPool2d{}).linear("output", options.outputs).take();
}

// The layers that make {time, dimension} of tokens or real-valued sequences.
Builder sequence_stem(const std::string& model, const ZooOptions& options) {
    Builder net(options);
    const Shape& shape = options.input_shape;
    if (options.vocabulary > 0) {
        if (shape.size() != 1) refuse(model, "tokens {time}", options);
        return std::move(net.add("embedding", Embedding{options.vocabulary, options.dimension}));
    }
    if (shape.size() != 2) {
        refuse(model, "tokens {time} with a vocabulary, or a sequence {time, features}", options,
               shape.size() == 1 ? "give the size of the vocabulary for tokens, or use mlp"
                                 : "use cnn or resnet18-gn for images");
    }
    return std::move(net.linear("embedding", options.dimension));
}

// Pre-norm blocks (Xiong et al. 2020): x + attention(norm(x)), then x + ffn(norm(x)).
std::vector<LayerSpec> transformer(const ZooOptions& options) {
    Builder net = sequence_stem("transformer", options);
    net.add("position", PositionalEmbedding{});
    for (int64_t i = 1; i <= options.depth; ++i) {
        Residual attention, feed_forward;
        attention.body = Builder(options)
                             .add("norm", LayerNorm{})
                             .add("attention", SelfAttention{options.heads, false})
                             .take();
        feed_forward.body = Builder(options)
                                .add("norm", LayerNorm{})
                                .linear("up", 4 * options.dimension)
                                .add("act", Activation{Activation::Function::kGelu})
                                .linear("down", options.dimension)
                                .take();
        net.add("attention" + std::to_string(i), std::move(attention));
        net.add("ffn" + std::to_string(i), std::move(feed_forward));
    }
    return net.add("norm", LayerNorm{})
        .add("mean", MeanOverTime{})
        .linear("output", options.outputs)
        .take();
}

std::vector<LayerSpec> lstm(const ZooOptions& options) {
    return sequence_stem("lstm", options)
        .add("lstm", Lstm{options.dimension})
        .add("last", LastTimeStep{})
        .linear("output", options.outputs)
        .take();
}

void check_options(const ZooOptions& options) {
    const auto between = [](const char* name, int64_t value, int64_t least, int64_t most) {
        if (value >= least && value <= most) return;
        throw Error(ErrorCode::kInvalid,
                    std::string(name) + " must be between " + std::to_string(least) + " and " +
                        std::to_string(most) + ", got " + std::to_string(value));
    };
    between("vocabulary", options.vocabulary, 0, int64_t{1} << 31);
    between("dimension", options.dimension, 1, int64_t{1} << 20);
    between("depth", options.depth, 1, 256);
    between("heads", options.heads, 1, int64_t{1} << 20);
    for (int64_t width : options.hidden) between("hidden width", width, 1, int64_t{1} << 31);
}

struct ZooModel {
    ZooEntry entry;
    std::function<std::vector<LayerSpec>(const ZooOptions&)> build;
};

const std::vector<ZooModel>& models() {
    static const std::vector<ZooModel> list = {
        {{"logistic", "linear classifier or regression"}, logistic},
        {{"mlp", "fully connected, hidden layers of 256 and 128 unless told otherwise"}, mlp},
        {{"cnn", "convolutional network for images, sized by them (28 x 28: 26,010 parameters)"},
         cnn},
        {{"resnet18-gn", "ResNet-18 for 32 x 32 images with GroupNorm (11.2 million parameters)"},
         resnet18},
        {{"transformer", "pre-norm encoder for tokens or sequences, mean over time"}, transformer},
        {{"lstm", "LSTM for tokens or sequences, last time step"}, lstm},
    };
    return list;
}

}  // namespace

const std::vector<ZooEntry>& zoo() {
    static const std::vector<ZooEntry> entries = [] {
        std::vector<ZooEntry> list;
        for (const ZooModel& model : models()) list.push_back(model.entry);
        return list;
    }();
    return entries;
}

ModelSpec make_model(const std::string& name, const ZooOptions& options) {
    check_options(options);
    std::string known;
    for (const ZooModel& model : models()) {
        known += (known.empty() ? "" : ", ") + model.entry.name;
        if (model.entry.name != name) continue;
        ModelSpec spec;
        spec.name = name;
        spec.input_shape = options.input_shape;
        spec.token_input = options.vocabulary > 0;
        spec.task = options.task;
        spec.outputs = options.outputs;
        spec.layers = model.build(options);
        validate(spec);
        return spec;
    }
    throw Error(ErrorCode::kUsage, "there is no model \"" + name + "\"", "known models: " + known);
}

}  // namespace ward::model
