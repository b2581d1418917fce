#include "ward/train/batch.h"

#include <algorithm>
#include <cstring>

#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::train {
namespace {

// One image {channels, height, width}, moved by (dy, dx) and mirrored; zeros come in from outside.
void copy_augmented(const float* source, float* target, at::IntArrayRef shape, int64_t dy,
                    int64_t dx, bool mirror) {
    const int64_t height = shape[1], width = shape[2];
    for (int64_t plane = 0; plane < shape[0]; ++plane) {
        for (int64_t y = 0; y < height; ++y) {
            for (int64_t x = 0; x < width; ++x) {
                const int64_t from_y = y - dy, from_x = (mirror ? width - 1 - x : x) - dx;
                const bool inside = from_y >= 0 && from_y < height && from_x >= 0 && from_x < width;
                *target++ = inside ? source[(plane * height + from_y) * width + from_x] : 0.0f;
            }
        }
    }
}

struct Move {
    int64_t dy = 0, dx = 0;
    bool mirror = false;
};

Move random_move(const Augmentation& augmentation, Random& random) {
    const auto shift = [&] {
        const uint64_t span = 2 * static_cast<uint64_t>(augmentation.shift_pixels) + 1;
        return static_cast<int64_t>(random.below(span)) - augmentation.shift_pixels;
    };
    Move move;
    move.dy = shift();
    move.dx = shift();
    move.mirror = augmentation.flip_horizontally && random.below(2) == 1;
    return move;
}

at::Tensor gather_inputs(const data::Dataset& data, std::span<const int64_t> rows,
                         const Augmentation& augmentation, Random* random) {
    std::vector<int64_t> shape = data.example_shape;
    shape.insert(shape.begin(), static_cast<int64_t>(rows.size()) * augmentation.views);
    at::Tensor inputs = torch::empty(shape);
    const int64_t size = data.example_size();
    float* target = inputs.data_ptr<float>();
    if (!augmentation.active()) {
        for (size_t i = 0; i < rows.size(); ++i) {
            std::memcpy(target + static_cast<int64_t>(i) * size,
                        data.inputs.data() + rows[i] * size, sizeof(float) * size);
        }
        return inputs;
    }
    if (data.example_shape.size() != 3) {
        throw Error(ErrorCode::kUsage, "augmentation needs images {channels, height, width}",
                    "drop --views and --shift");
    }
    std::vector<Move> moves(rows.size() * augmentation.views);
    for (Move& move : moves) move = random_move(augmentation, *random);
    at::parallel_for(0, static_cast<int64_t>(moves.size()), 64, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
            const float* source = data.inputs.data() + rows[i / augmentation.views] * size;
            copy_augmented(source, target + i * size, data.example_shape, moves[i].dy, moves[i].dx,
                           moves[i].mirror);
        }
    });
    return inputs;
}

}  // namespace

Batch gather_batch(const data::Dataset& data, std::span<const int64_t> rows,
                   const Augmentation& augmentation, Random* random) {
    Batch batch;
    batch.inputs = gather_inputs(data, rows, augmentation, random);
    const auto count = static_cast<int64_t>(rows.size());
    if (!data.labels.empty()) {
        batch.labels = torch::empty({count}, at::kLong);
        for (int64_t i = 0; i < count; ++i)
            batch.labels.data_ptr<int64_t>()[i] = data.labels[rows[i]];
    } else if (!data.targets.empty()) {
        batch.labels = torch::empty({count, 1});
        for (int64_t i = 0; i < count; ++i)
            batch.labels.data_ptr<float>()[i] = data.targets[rows[i]];
    } else {
        throw Error(ErrorCode::kInvalid,
                    "data set " + data.name + " has neither labels nor targets",
                    "name the label column with --label");
    }
    if (augmentation.views > 1)
        batch.labels = batch.labels.repeat_interleave(augmentation.views, 0);
    return batch;
}

}  // namespace ward::train
