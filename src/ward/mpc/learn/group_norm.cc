#include "ward/mpc/learn/group_norm.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>

#include "ward/mpc/clip.h"
#include "ward/mpc/fixed_point.h"
#include "ward/mpc/functions.h"
#include "ward/mpc/learn/internal/worlds.h"
#include "ward/mpc/truncate.h"

namespace ward::mpc {
namespace {

constexpr double kMinEpsilon = 0x1p-13;

// Where value i of a row with channels last stands when groups come first.
std::vector<size_t> grouped_order(const NetworkStep& step) {
    const ImageShape& image = step.patches.image;
    const size_t width = image.channels / step.groups;  // channels of a group
    std::vector<size_t> out(image.size());
    for (size_t i = 0; i < out.size(); ++i) {
        const size_t pixel = i / image.channels, channel = i % image.channels;
        const size_t group = channel / width;
        out[i] = (group * (image.size() / image.channels) + pixel) * width + channel % width;
    }
    return out;
}

void reorder(const RingVector& in, const std::vector<size_t>& order, bool back, RingVector& out) {
    const size_t n = order.size();
    for (size_t row = 0; row < in.size(); row += n) {
        for (size_t i = 0; i < n; ++i) {
            (back ? out[row + i] : out[row + order[i]]) = in[row + (back ? order[i] : i)];
        }
    }
}

// (rows * groups) x values of a group, and back.
SharedMatrix regrouped(const NetworkStep& step, const SharedMatrix& x, bool back) {
    const size_t rows = x.size() / step.output.size();
    SharedMatrix out = back ? SharedMatrix(rows, step.output.size())
                            : SharedMatrix(rows * step.groups, step.output.size() / step.groups);
    const std::vector<size_t> order = grouped_order(step);
    reorder(x.first, order, back, out.first);
    reorder(x.second, order, back, out.second);
    return out;
}
RingMatrix regrouped(const NetworkStep& step, const RingMatrix& x, bool back) {
    const size_t rows = x.size() / step.output.size();
    RingMatrix out = back ? RingMatrix(rows, step.output.size())
                          : RingMatrix(rows * step.groups, step.output.size() / step.groups);
    reorder(x.values, grouped_order(step), back, out.values);
    return out;
}

SharedMatrix plus(Party& party, const SharedMatrix& x, Ring constant) {
    return add_public(party, x, constant);
}
RingMatrix plus(Twin&, RingMatrix x, Ring constant) {
    for (Ring& value : x.values) value += constant;
    return x;
}

RingMatrix sum_columns(const RingMatrix& x) {
    RingMatrix out(x.rows, 1);
    std::fill(out.values.begin(), out.values.end(), Ring{0});
    for (size_t i = 0; i < x.size(); ++i) out.values[i / x.cols] += x.values[i];
    return out;
}
using mpc::sum_columns;

// Sums of `count` values, with 16 fraction bits, divided by the count.
template <typename World, typename Matrix>
Matrix mean_of(World& world, const Matrix& sums, size_t count) {
    const int bits = kFractionBits + std::bit_width(count) - 1;
    const double factor = std::ldexp(1.0, bits) / static_cast<double>(count);
    return truncate(world, scale(sums, static_cast<Ring>(std::llround(factor))), bits);
}

// The mean of x y in each row.
template <typename World, typename Matrix>
Matrix mean_product(World& world, const Matrix& x, const Matrix& y) {
    using Pair = std::conditional_t<std::is_same_v<World, Party>, Product, PlainProduct>;
    const Pair pair[] = {{&x, &y}};
    return mean_of(world, truncate(world, row_products(world, pair), kFractionBits), x.cols);
}

template <typename Matrix>
Matrix minus_column(const Matrix& x, const Matrix& column) {
    return subtract(x, repeat_column(column, x.cols));
}

}  // namespace

template <typename World, typename Matrix>
Normalised<Matrix> group_norm(World& world, const NetworkStep& step, const Matrix& x) {
    const Matrix grouped = regrouped(step, x, false);
    const Matrix centred =
        minus_column(grouped, mean_of(world, sum_columns(grouped), grouped.cols));
    const double epsilon = std::max(step.epsilon, kMinEpsilon);
    const Matrix variance =
        plus(world, mean_product(world, centred, centred), encode_constant(epsilon));
    Normalised<Matrix> out;
    out.inverse = evaluate(world, inverse_root_ladder(), variance);
    const Matrix values =
        multiply_fixed(world, centred, repeat_column(out.inverse, centred.cols), kFractionBits);
    out.values = regrouped(step, values, true);
    return out;
}

// inverse (g - mean(g) - values mean(g values)), row by row and group by group.
template <typename World, typename Matrix>
Matrix group_norm_back(World& world, const NetworkStep& step, const Normalised<Matrix>& forward,
                       const Matrix& gradient) {
    const Matrix g = regrouped(step, gradient, false);
    const Matrix values = regrouped(step, forward.values, false);
    const Matrix along = mean_product(world, g, values);
    const Matrix projected =
        multiply_fixed(world, values, repeat_column(along, g.cols), kFractionBits);
    const Matrix rest =
        subtract(minus_column(g, mean_of(world, sum_columns(g), g.cols)), projected);
    return regrouped(
        step, multiply_fixed(world, rest, repeat_column(forward.inverse, g.cols), kFractionBits),
        true);
}

template Normalised<SharedMatrix> group_norm(Party&, const NetworkStep&, const SharedMatrix&);
template Normalised<RingMatrix> group_norm(Twin&, const NetworkStep&, const RingMatrix&);
template SharedMatrix group_norm_back(Party&, const NetworkStep&, const Normalised<SharedMatrix>&,
                                      const SharedMatrix&);
template RingMatrix group_norm_back(Twin&, const NetworkStep&, const Normalised<RingMatrix>&,
                                    const RingMatrix&);

}  // namespace ward::mpc
