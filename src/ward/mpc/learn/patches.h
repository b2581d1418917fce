// Images as rows of patches (im2col) and the way back (its transpose): linear maps that every party
// applies to its shares alone. A convolution is then one product of matrices.
//
// Images are rows of height x width x channels values, channels last, so that a patch is `kernel`
// runs of kernel * channels neighbours. With `box` > 1 each patch is the sum of box x box patches,
// one pixel apart: a convolution of stride 1 and the average pooling behind it in one product of
// 1 / box^2 of the size, because pooling is linear.
//
// Thread safety: free functions and value types.
#pragma once

#include <cstddef>
#include <span>

#include "ward/mpc/shared.h"

namespace ward::mpc {

struct ImageShape {
    size_t height = 1;
    size_t width = 1;
    size_t channels = 1;

    size_t size() const { return height * width * channels; }
    friend bool operator==(const ImageShape&, const ImageShape&) = default;
};

struct PatchShape {
    ImageShape image;
    size_t kernel = 1;
    size_t stride = 1;
    size_t padding = 0;  // zeros on each side
    size_t box = 1;

    // Of the places where a patch is taken.
    size_t out_height() const { return places(image.height); }
    size_t out_width() const { return places(image.width); }
    size_t positions() const { return out_height() * out_width(); }
    // Values of a patch, ordered by row, column, channel.
    size_t patch_size() const { return kernel * kernel * image.channels; }

  private:
    size_t places(size_t length) const {
        return (length + 2 * padding - kernel - (box - 1)) / stride + 1;
    }
};

// count images -> count * positions() patches; for Ring and for double.
template <typename T>
void take_patches(const PatchShape& shape, const T* images, size_t count, T* patches);
// The transpose: adds each patch where it came from. `images` is overwritten.
void add_patches(const PatchShape& shape, const Ring* patches, size_t count, Ring* images);

// The same for matrices: rows x image.size() and (rows * positions()) x patch_size(). Throw Error
// kUsage for other shapes.
RingMatrix take_patches(const PatchShape& shape, const RingMatrix& images);
SharedMatrix take_patches(const PatchShape& shape, const SharedMatrix& images);
RingMatrix add_patches(const PatchShape& shape, const RingMatrix& patches);
SharedMatrix add_patches(const PatchShape& shape, const SharedMatrix& patches);

// Rows of channels x height x width values (as data sets have them) to channels last.
RingMatrix channels_last(const ImageShape& shape, const RingMatrix& images);
SharedMatrix channels_last(const ImageShape& shape, const SharedMatrix& images);
// Where value i of an image in the order of data sets stands with channels last.
size_t channels_last_place(const ImageShape& shape, size_t i);

}  // namespace ward::mpc
