#include "ward/mpc/internal/verify_matrices.h"

#include <algorithm>

#include "ward/mpc/internal/matmul.h"
#include "ward/mpc/internal/row_sums.h"
#include "ward/mpc/internal/wide_kernels.h"

namespace ward::mpc::internal {
namespace {

constexpr size_t kSide = MatrixRelations::kSide;
static_assert(kSide == kRowSums);

// Which rows (or columns) of a matrix are in which sums.
Bytes draw_selection(KeyStream& stream, size_t count) {
    Bytes out(selection_bytes(count));
    stream.fill(std::span<uint8_t>(out));
    return out;
}

size_t padded(size_t length) {
    return (length + kWideLengthStep - 1) / kWideLengthStep * kWideLengthStep;
}

}  // namespace

void MatrixRelations::add(std::span<const Factors> products, RingVector own_mask,
                          RingVector next_mask, RingVector received) {
    size_t offset = 0;
    for (const Factors& product : products) {
        if (used_ == products_.size()) products_.emplace_back();
        Product& kept = products_[used_++];
        kept.x = *product.x;
        kept.y = *product.y;
        kept.batch = batches_.size();
        kept.offset = offset;
        offset += product.x->rows * product.y->cols;
        inner_ += padded(product.x->cols);
    }
    batches_.push_back({std::move(own_mask), std::move(next_mask), std::move(received)});
}

void MatrixRelations::clear() {
    used_ = 0;
    batches_.clear();
    inner_ = 0;
}

void MatrixRelations::project(KeyStream& challenge) {
    for (RingVector* part : {&x_.first, &x_.second, &y_.first, &y_.second}) {
        part->resize(kSide * inner_);
    }
    for (RingVector* mask : {&own_mask_, &next_mask_, &received_})
        mask->assign(kSide * kSide, Ring{0});
    size_t at = 0;
    for (size_t i = 0; i < used_; ++i) {
        project_product(products_[i], challenge, at);
        at += padded(products_[i].x.cols);
    }
    for (RingVector* mask : {&own_mask_, &next_mask_, &received_}) {
        RingVector upright(mask->size());
        transpose(mask->data(), upright.data(), kSide, kSide);
        *mask = std::move(upright);
    }
}

// Into the columns from `at` on; masks are added up turned.
void MatrixRelations::project_product(const Product& product, KeyStream& challenge, size_t at) {
    const size_t rows = product.x.rows, inner = product.x.cols, cols = product.y.cols;
    const Bytes left = draw_selection(challenge, rows);
    const Bytes right = draw_selection(challenge, cols);
    row_sums(left.data(), product.x.first.data(), rows, inner, &x_.first[at], inner_);
    row_sums(left.data(), product.x.second.data(), rows, inner, &x_.second[at], inner_);
    column_sums(right.data(), product.y.first.data(), inner, cols, &y_.first[at], inner_);
    column_sums(right.data(), product.y.second.data(), inner, cols, &y_.second[at], inner_);
    for (RingVector* part : {&x_.first, &x_.second, &y_.first, &y_.second}) {
        for (size_t r = 0; r < kSide; ++r) {
            std::fill_n(&(*part)[r * inner_ + at + inner], padded(inner) - inner, Ring{0});
        }
    }
    RingVector thin(kSide * cols), square(kSide * kSide);
    const auto project_z = [&](const RingVector& z, RingVector& to) {
        row_sums(left.data(), &z[product.offset], rows, cols, thin.data(), cols);
        column_sums(right.data(), thin.data(), kSide, cols, square.data(), kSide);
        for (size_t i = 0; i < square.size(); ++i) to[i] += square[i];
    };
    const Batch& batch = batches_[product.batch];
    project_z(batch.own_mask, own_mask_);
    project_z(batch.next_mask, next_mask_);
    project_z(batch.received, received_);
}

// x_i y_(i+1) + x_(i+1) y_i + b, with b = -s_(i+1); see NumberRelations::high_words.
void MatrixRelations::high_words(Ring* out) const {
    std::vector<Uint128> one(kRelations), other(kRelations);
    const auto products = [&](const RingVector& x, const RingVector& y, Uint128* to) {
        wide_table({x.data(), nullptr, inner_}, kSide, {y.data(), nullptr, inner_}, kSide, inner_,
                   to);
    };
    products(x_.first, y_.second, one.data());
    products(x_.second, y_.first, other.data());
    for (size_t i = 0; i < kRelations; ++i) {
        const Uint128 sum = one[i] + other[i] + (0 - next_mask_[i]);
        out[i] = static_cast<Ring>(sum >> 64) + (static_cast<Ring>(sum) != 0 ? 1 : 0);
    }
}

void MatrixRelations::combine(KeyStream& challenge, const Ring* left_w, const Ring* right_w,
                              Statement<Wide>& statement, size_t at) const {
    uint64_t of_row[kSide], of_column[kSide];
    for (uint64_t* factors : {of_row, of_column}) {
        for (size_t i = 0; i < kSide; ++i) {
            factors[i] = static_cast<uint64_t>(Wide::draw_challenge(challenge));
        }
    }
    const auto fold = [&](const uint64_t* factors, const RingVector& rows, Uint128* out) {
        wide_fold(factors, {rows.data(), nullptr, inner_}, kSide, inner_, out);
    };
    const size_t behind = at + inner_;
    // The prover's u and the right verifier's v are of first parts, the two others of second ones.
    fold(of_row, x_.first, &statement.u[at]);
    fold(of_column, y_.first, &statement.u[behind]);
    fold(of_column, y_.second, &statement.v[at]);
    fold(of_row, x_.second, &statement.v[behind]);
    std::copy_n(&statement.v[behind], inner_, &statement.left_u[at]);
    std::copy_n(&statement.v[at], inner_, &statement.left_u[behind]);
    std::copy_n(&statement.u[behind], inner_, &statement.right_v[at]);
    std::copy_n(&statement.u[at], inner_, &statement.right_v[behind]);
    RingVector turned(y_.second.size()), second(kRelations, Ring{0});
    transpose(y_.second.data(), turned.data(), kSide, inner_);
    matmul_accumulate(x_.second.data(), turned.data(), second.data(), kSide, inner_, kSide);
    for (size_t r = 0; r < kSide; ++r) {
        for (size_t c = 0; c < kSide; ++c) {
            const size_t i = r * kSide + c;
            const Ring a = second[i] + next_mask_[i] - received_[i];
            const Ring b = 0 - own_mask_[i];
            const Uint128 factor = Uint128{of_row[r]} * of_column[c];
            statement.a += factor * ((Uint128{left_w[i]} << 64) - a);
            statement.b += factor * ((Uint128{right_w[i]} << 64) - b);
        }
    }
}

}  // namespace ward::mpc::internal
