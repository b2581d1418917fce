// A revealed network in floating point.
#include <algorithm>
#include <cmath>
#include <string>

#include "ward/core/error.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/learn/network.h"

namespace ward::mpc {
namespace {

using Values = std::vector<double>;

Values product(const NetworkWeights& network, const NetworkStep& step, const Values& x,
               size_t rows) {
    Values patches;
    if (!step.is_dense()) {
        patches.resize(rows * step.patches.positions() * step.patches.patch_size());
        take_patches(step.patches, x.data(), rows, patches.data());
    }
    const Values& in = step.is_dense() ? x : patches;
    const Values weights = decode(network.weights[step.parameters]);
    const Values biases = decode(network.biases[step.parameters]);
    const size_t inner = step.weight_rows(), cols = step.weight_cols();
    const double scale = 1.0 / static_cast<double>(1 << step.box_bits);
    Values out(rows * step.output.size());
    for (size_t r = 0; r < out.size() / cols; ++r) {
        double* row = &out[r * cols];
        std::copy(biases.begin(), biases.end(), row);
        for (size_t k = 0; k < inner; ++k) {
            const double factor = in[r * inner + k] * scale;
            for (size_t c = 0; c < cols; ++c) row[c] += factor * weights[k * cols + c];
        }
    }
    return out;
}

Values pool(const NetworkStep& step, const Values& x, size_t rows) {
    const size_t entries = step.patches.kernel * step.patches.kernel;
    const size_t channels = step.output.channels;
    const size_t windows = rows * step.patches.positions();
    Values patches(windows * step.patches.patch_size()), out(windows * channels);
    take_patches(step.patches, x.data(), rows, patches.data());
    const double mean = 1.0 / static_cast<double>(step.patches.box * step.patches.box);
    for (size_t w = 0; w < windows; ++w) {
        for (size_t c = 0; c < channels; ++c) {
            const double* window = &patches[w * entries * channels + c];
            double value = window[0] * mean;  // 1 for a max pool
            for (size_t e = 1; e < entries; ++e) value = std::max(value, window[e * channels]);
            out[w * channels + c] = value;
        }
    }
    return out;
}

Values normalised(const NetworkWeights& network, const NetworkStep& step, const Values& x,
                  size_t rows) {
    const size_t channels = step.output.channels, width = channels / step.groups;
    const Values factors = decode(network.weights[step.parameters]);
    const Values biases = decode(network.biases[step.parameters]);
    const size_t size = step.output.size();
    const double count = static_cast<double>(size / step.groups);
    Values out(x.size());
    for (size_t r = 0; r < rows * step.groups; ++r) {
        const size_t row = r / step.groups * size, first = r % step.groups * width;
        const auto for_values = [&](const auto& function) {
            for (size_t i = 0; i < size; ++i) {
                const size_t c = i % channels;
                if (c >= first && c < first + width) function(row + i, c);
            }
        };
        double mean = 0, square = 0;
        for_values([&](size_t i, size_t) { mean += x[i] / count; });
        for_values([&](size_t i, size_t) { square += (x[i] - mean) * (x[i] - mean) / count; });
        const double inverse = 1 / std::sqrt(square + step.epsilon);
        for_values(
            [&](size_t i, size_t c) { out[i] = (x[i] - mean) * inverse * factors[c] + biases[c]; });
    }
    return out;
}

}  // namespace

std::vector<double> plain_scores(const NetworkWeights& network, std::span<const double> inputs,
                                 size_t rows) {
    const size_t features = network.shape.inputs();
    if (inputs.size() != rows * features) {
        throw Error(ErrorCode::kUsage, std::to_string(inputs.size()) + " values, expected " +
                                           std::to_string(rows) + " rows of " +
                                           std::to_string(features));
    }
    Values x(inputs.size());
    for (size_t i = 0; i < x.size(); ++i) {
        const size_t place = network.shape.layers.empty()
                                 ? i % features
                                 : channels_last_place(network.shape.image, i % features);
        x[i - i % features + place] = inputs[i];
    }
    for (const NetworkStep& step : steps_of(network.shape)) {
        if (step.kind == NetworkStep::Kind::kProduct) {
            x = product(network, step, x, rows);
        } else if (step.kind == NetworkStep::Kind::kGroupNorm) {
            x = normalised(network, step, x, rows);
        } else if (step.kind == NetworkStep::Kind::kRelu) {
            for (double& value : x) value = std::max(value, 0.0);
        } else {
            x = pool(step, x, rows);
        }
    }
    return x;
}

}  // namespace ward::mpc
