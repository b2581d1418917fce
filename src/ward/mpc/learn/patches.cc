#include "ward/mpc/learn/patches.h"

#include <algorithm>
#include <string>

#include "ward/core/error.h"

namespace ward::mpc {
namespace {

// The image with its padding, summed over boxes: what patches are taken from.
template <typename T>
class Summed {
  public:
    explicit Summed(const PatchShape& shape)
        : shape_(shape),
          padded_height_(shape.image.height + 2 * shape.padding),
          padded_row_((shape.image.width + 2 * shape.padding) * shape.image.channels),
          height_(padded_height_ - (shape.box - 1)),
          row_(padded_row_ - (shape.box - 1) * shape.image.channels),
          padded_(padded_height_ * padded_row_),
          sums_(height_ * row_) {}

    size_t row() const { return row_; }
    T* sums() { return sums_.data(); }

    void load(const T* image) {
        const size_t own_row = shape_.image.width * shape_.image.channels;
        if (shape_.padding > 0) std::fill(padded_.begin(), padded_.end(), T{0});
        for (size_t y = 0; y < shape_.image.height; ++y) {
            std::copy_n(image + y * own_row, own_row, place_in_padded(y));
        }
        if (shape_.box == 1) {
            std::copy(padded_.begin(), padded_.end(), sums_.begin());
            return;
        }
        std::fill(sums_.begin(), sums_.end(), T{0});
        for_each_offset([&](size_t y, const T* padded) {
            T* out = &sums_[y * row_];
            for (size_t i = 0; i < row_; ++i) out[i] += padded[i];
        });
    }

    void clear() { std::fill(sums_.begin(), sums_.end(), T{0}); }

    // The transpose of `load`.
    void store(T* image) {
        std::fill(padded_.begin(), padded_.end(), T{0});
        for_each_offset([&](size_t y, T* padded) {
            const T* in = &sums_[y * row_];
            for (size_t i = 0; i < row_; ++i) padded[i] += in[i];
        });
        const size_t own_row = shape_.image.width * shape_.image.channels;
        for (size_t y = 0; y < shape_.image.height; ++y) {
            std::copy_n(place_in_padded(y), own_row, image + y * own_row);
        }
    }

  private:
    T* place_in_padded(size_t y) {
        return &padded_[(y + shape_.padding) * padded_row_ +
                        shape_.padding * shape_.image.channels];
    }

    // Row y of the sums meets the padded image at each of box x box offsets.
    template <typename Function>
    void for_each_offset(Function function) {
        for (size_t y = 0; y < height_; ++y) {
            for (size_t dy = 0; dy < shape_.box; ++dy) {
                for (size_t dx = 0; dx < shape_.box; ++dx) {
                    function(y, &padded_[(y + dy) * padded_row_ + dx * shape_.image.channels]);
                }
            }
        }
    }

    const PatchShape& shape_;
    size_t padded_height_, padded_row_;
    size_t height_, row_;
    std::vector<T, UnsetAllocator<T>> padded_, sums_;
};

// Calls function(run of the summed image, run of the patch) for every row of every patch.
template <typename T, typename Value, typename Function>
void for_runs(const PatchShape& shape, Summed<T>& summed, Value* patches, Function function) {
    const size_t channels = shape.image.channels;
    for (size_t y = 0; y < shape.out_height(); ++y) {
        for (size_t x = 0; x < shape.out_width(); ++x) {
            for (size_t k = 0; k < shape.kernel; ++k) {
                const size_t at =
                    (y * shape.stride + k) * summed.row() + x * shape.stride * channels;
                function(summed.sums() + at, patches);
                patches += shape.kernel * channels;
            }
        }
    }
}

void require(bool right, const char* what, size_t rows, size_t cols, size_t expected) {
    if (right) return;
    throw Error(ErrorCode::kUsage, std::string(what) + " must have rows of " +
                                       std::to_string(expected) + " values, got " +
                                       std::to_string(rows) + " x " + std::to_string(cols));
}

template <typename Matrix>
void require_images(const PatchShape& shape, const Matrix& images) {
    require(images.cols == shape.image.size(), "images", images.rows, images.cols,
            shape.image.size());
}

template <typename Matrix>
size_t images_of(const PatchShape& shape, const Matrix& patches) {
    const bool right = patches.cols == shape.patch_size() && patches.rows % shape.positions() == 0;
    require(right, "patches", patches.rows, patches.cols, shape.patch_size());
    return patches.rows / shape.positions();
}

void to_channels_last(const ImageShape& shape, const RingVector& in, size_t count, Ring* out) {
    for (size_t n = 0; n < count * shape.size(); n += shape.size()) {
        for (size_t i = 0; i < shape.size(); ++i) {
            out[n + channels_last_place(shape, i)] = in[n + i];
        }
    }
}

}  // namespace

template <typename T>
void take_patches(const PatchShape& shape, const T* images, size_t count, T* patches) {
    Summed<T> summed(shape);
    const size_t run = shape.kernel * shape.image.channels;
    for (size_t n = 0; n < count; ++n) {
        summed.load(images + n * shape.image.size());
        for_runs(shape, summed, patches + n * shape.positions() * shape.patch_size(),
                 [run](const T* from, T* to) { std::copy_n(from, run, to); });
    }
}
template void take_patches(const PatchShape&, const Ring*, size_t, Ring*);
template void take_patches(const PatchShape&, const double*, size_t, double*);

void add_patches(const PatchShape& shape, const Ring* patches, size_t count, Ring* images) {
    Summed<Ring> summed(shape);
    const size_t run = shape.kernel * shape.image.channels;
    for (size_t n = 0; n < count; ++n) {
        summed.clear();
        for_runs(shape, summed, patches + n * shape.positions() * shape.patch_size(),
                 [run](Ring* to, const Ring* from) {
                     for (size_t i = 0; i < run; ++i) to[i] += from[i];
                 });
        summed.store(images + n * shape.image.size());
    }
}

RingMatrix take_patches(const PatchShape& shape, const RingMatrix& images) {
    require_images(shape, images);
    RingMatrix out(images.rows * shape.positions(), shape.patch_size());
    take_patches(shape, images.values.data(), images.rows, out.values.data());
    return out;
}

SharedMatrix take_patches(const PatchShape& shape, const SharedMatrix& images) {
    require_images(shape, images);
    SharedMatrix out(images.rows * shape.positions(), shape.patch_size());
    take_patches(shape, images.first.data(), images.rows, out.first.data());
    take_patches(shape, images.second.data(), images.rows, out.second.data());
    return out;
}

RingMatrix add_patches(const PatchShape& shape, const RingMatrix& patches) {
    RingMatrix out(images_of(shape, patches), shape.image.size());
    add_patches(shape, patches.values.data(), out.rows, out.values.data());
    return out;
}

SharedMatrix add_patches(const PatchShape& shape, const SharedMatrix& patches) {
    SharedMatrix out(images_of(shape, patches), shape.image.size());
    add_patches(shape, patches.first.data(), out.rows, out.first.data());
    add_patches(shape, patches.second.data(), out.rows, out.second.data());
    return out;
}

size_t channels_last_place(const ImageShape& shape, size_t i) {
    const size_t pixels = shape.height * shape.width;
    return i % pixels * shape.channels + i / pixels;
}

RingMatrix channels_last(const ImageShape& shape, const RingMatrix& images) {
    require(images.cols == shape.size(), "images", images.rows, images.cols, shape.size());
    RingMatrix out(images.rows, images.cols);
    to_channels_last(shape, images.values, images.rows, out.values.data());
    return out;
}

SharedMatrix channels_last(const ImageShape& shape, const SharedMatrix& images) {
    require(images.cols == shape.size(), "images", images.rows, images.cols, shape.size());
    SharedMatrix out(images.rows, images.cols);
    to_channels_last(shape, images.first, images.rows, out.first.data());
    to_channels_last(shape, images.second, images.rows, out.second.data());
    return out;
}

}  // namespace ward::mpc
