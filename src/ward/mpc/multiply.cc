#include "ward/mpc/multiply.h"

#include <algorithm>
#include <string>

#include "ward/core/error.h"
#include "ward/mpc/internal/matmul.h"
#include "ward/mpc/internal/verify.h"
#include "ward/mpc/truncate.h"

namespace ward::mpc {
namespace {

using net::TrafficLedger;

std::string shape_text(const SharedMatrix& x) {
    return std::to_string(x.rows) + " x " + std::to_string(x.cols);
}

void require_same_shape(const SharedMatrix& x, const SharedMatrix& y, const char* what) {
    if (x.rows == y.rows && x.cols == y.cols) return;
    throw Error(ErrorCode::kUsage, std::string(what) + " needs two matrices of one shape, got " +
                                       shape_text(x) + " and " + shape_text(y));
}

void require_inner(const SharedMatrix& x, const SharedMatrix& y) {
    if (x.cols == y.rows) return;
    throw Error(ErrorCode::kUsage, "a product needs as many columns as rows, got " + shape_text(x) +
                                       " times " + shape_text(y));
}

template <typename Function>
SharedMatrix combine(const SharedMatrix& x, const SharedMatrix& y, Function function) {
    SharedMatrix out(x.rows, x.cols);
    for (size_t i = 0; i < x.size(); ++i) out.first[i] = function(x.first[i], y.first[i]);
    for (size_t i = 0; i < x.size(); ++i) out.second[i] = function(x.second[i], y.second[i]);
    return out;
}

// This party's additive part of the element-wise product.
void local_multiply(const SharedMatrix& x, const SharedMatrix& y, Ring* out) {
    for (size_t i = 0; i < x.size(); ++i) {
        out[i] = x.first[i] * (y.first[i] + y.second[i]) + x.second[i] * y.first[i];
    }
}

// The same of a matrix product: x_i (y_i + y_(i+1)) + x_(i+1) y_i.
void local_matmul(const SharedMatrix& x, const SharedMatrix& y, Ring* out) {
    RingVector both(y.size());
    for (size_t i = 0; i < y.size(); ++i) both[i] = y.first[i] + y.second[i];
    std::fill_n(out, x.rows * y.cols, Ring{0});
    internal::matmul_accumulate(x.first.data(), both.data(), out, x.rows, x.cols, y.cols);
    internal::matmul_accumulate(x.second.data(), y.first.data(), out, x.rows, x.cols, y.cols);
}

// Part i of a replicated sharing is an additive part as well.
void add_part(const SharedMatrix& addend, size_t size, Ring* out) {
    if (addend.size() != size) {
        throw Error(ErrorCode::kUsage, "an addend of " + std::to_string(size) +
                                           " values is needed, got " + shape_text(addend));
    }
    for (size_t i = 0; i < size; ++i) out[i] += addend.first[i];
}

// One row of values cut into the matrices, whose shapes are set.
void cut(const RingVector& first, const RingVector& second, std::vector<SharedMatrix>& out) {
    size_t at = 0;
    for (SharedMatrix& matrix : out) {
        std::copy_n(first.data() + at, matrix.size(), matrix.first.data());
        std::copy_n(second.data() + at, matrix.size(), matrix.second.data());
        at += matrix.size();
    }
}

// Without values; throws unless the factors fit.
SharedMatrix shape_of(const Product& product) {
    SharedMatrix out;
    if ((product.x == nullptr) != (product.y == nullptr) ||
        (product.x == nullptr && product.addend == nullptr)) {
        throw Error(ErrorCode::kUsage, "a product needs two factors, or none and an addend");
    }
    if (product.x != nullptr) require_inner(*product.x, *product.y);
    out.rows = product.x != nullptr ? product.x->rows : product.addend->rows;
    out.cols = product.y != nullptr ? product.y->cols : product.addend->cols;
    return out;
}

// x y + addend of each, by one resharing; recorded for verification. What has no factors is no part
// of it.
std::vector<SharedMatrix> multiply_all(Party& party, std::span<const Product> products) {
    std::vector<SharedMatrix> factored;
    std::vector<internal::MatrixRelations::Factors> factors;
    size_t total = 0;
    for (const Product& product : products) {
        if (product.x == nullptr) continue;
        total += factored.emplace_back(product.x->rows, product.y->cols).size();
        factors.push_back({product.x, product.y});
    }
    SharedMatrix all(1, total);
    Ring* next = all.first.data();
    for (const auto& [x, y] : factors) {
        local_matmul(*x, *y, next);
        next += x->rows * y->cols;
    }
    internal::Verifier* verifier = party.verifier();
    internal::Reshared record;
    internal::reshare(party, all, verifier != nullptr ? &record : nullptr);
    cut(all.first, all.second, factored);
    if (verifier != nullptr) {
        verifier->matrices().add(factors, std::move(record.own_mask), std::move(record.next_mask),
                                 std::move(all.second));
    }
    std::vector<SharedMatrix> out;
    auto value = factored.begin();
    for (const Product& product : products) {
        out.push_back(product.x != nullptr ? std::move(*value++) : *product.addend);
        if (product.x == nullptr || product.addend == nullptr) continue;
        SharedMatrix& sum = out.back();
        add_part(*product.addend, sum.size(), sum.first.data());
        for (size_t k = 0; k < sum.size(); ++k) sum.second[k] += product.addend->second[k];
    }
    return out;
}

std::vector<SharedMatrix> truncate_all(Party& party, std::vector<SharedMatrix> values, int shift) {
    SharedMatrix all(1, 0);
    for (const SharedMatrix& x : values) {
        all.first.insert(all.first.end(), x.first.begin(), x.first.end());
        all.second.insert(all.second.end(), x.second.begin(), x.second.end());
    }
    all.cols = all.first.size();
    const SharedMatrix divided = truncate(party, all, shift);
    cut(divided.first, divided.second, values);
    return values;
}

}  // namespace

namespace internal {

void reshare(Party& party, SharedMatrix& out, Reshared* record) {
    const int self = party.index();
    RingVector& mask = out.second;
    party.draw(self, std::span<Ring>(mask));
    for (size_t i = 0; i < out.size(); ++i) out.first[i] += mask[i];
    if (record != nullptr) record->own_mask = mask;
    party.draw((self + 1) % 3, std::span<Ring>(mask));
    for (size_t i = 0; i < out.size(); ++i) out.first[i] -= mask[i];
    if (record != nullptr) record->next_mask = mask;
    Party::Round round(party);
    round.send((self + 2) % 3, out.first);
    round.receive((self + 1) % 3, out.second);
    round.finish();
}

SharedMatrix sum_of_products(Party& party, std::span<const SharedMatrix* const> xs,
                             std::span<const SharedMatrix* const> ys) {
    SharedMatrix out(xs[0]->rows, xs[0]->cols);
    local_multiply(*xs[0], *ys[0], out.first.data());
    RingVector part(xs.size() > 1 ? out.size() : 0);
    for (size_t k = 1; k < xs.size(); ++k) {
        local_multiply(*xs[k], *ys[k], part.data());
        for (size_t i = 0; i < part.size(); ++i) out.first[i] += part[i];
    }
    Verifier* verifier = party.verifier();
    Reshared record;
    reshare(party, out, verifier != nullptr ? &record : nullptr);
    if (verifier != nullptr) verifier->add_products(xs, ys, record, out.second);
    return out;
}

}  // namespace internal

SharedMatrix add(const SharedMatrix& x, const SharedMatrix& y) {
    require_same_shape(x, y, "a sum");
    return combine(x, y, [](Ring a, Ring b) { return a + b; });
}

SharedMatrix subtract(const SharedMatrix& x, const SharedMatrix& y) {
    require_same_shape(x, y, "a difference");
    return combine(x, y, [](Ring a, Ring b) { return a - b; });
}

SharedMatrix negate(const SharedMatrix& x) { return scale(x, ~Ring{0}); }

SharedMatrix add_public(const Party& party, const SharedMatrix& x, Ring constant) {
    SharedMatrix out = x;
    if (party.index() == 0) {
        for (Ring& value : out.first) value += constant;
    } else if (party.index() == 2) {
        for (Ring& value : out.second) value += constant;
    }
    return out;
}

SharedMatrix scale(const SharedMatrix& x, Ring constant) {
    SharedMatrix out(x.rows, x.cols);
    for (size_t i = 0; i < x.size(); ++i) out.first[i] = x.first[i] * constant;
    for (size_t i = 0; i < x.size(); ++i) out.second[i] = x.second[i] * constant;
    return out;
}

SharedMatrix transpose(const SharedMatrix& x) {
    SharedMatrix out(x.cols, x.rows);
    internal::transpose(x.first.data(), out.first.data(), x.rows, x.cols);
    internal::transpose(x.second.data(), out.second.data(), x.rows, x.cols);
    return out;
}

SharedMatrix add_row(const SharedMatrix& x, const SharedMatrix& y) {
    if (y.rows != 1 || y.cols != x.cols) {
        throw Error(ErrorCode::kUsage, "a row to add must be 1 x " + std::to_string(x.cols) +
                                           ", got " + shape_text(y));
    }
    SharedMatrix out = x;
    for (size_t i = 0; i < x.size(); ++i) {
        out.first[i] += y.first[i % x.cols];
        out.second[i] += y.second[i % x.cols];
    }
    return out;
}

SharedMatrix sum_rows(const SharedMatrix& x) {
    SharedMatrix out(1, x.cols);
    std::fill(out.first.begin(), out.first.end(), Ring{0});
    std::fill(out.second.begin(), out.second.end(), Ring{0});
    for (size_t r = 0; r < x.rows; ++r) {
        const Ring *first = &x.first[r * x.cols], *second = &x.second[r * x.cols];
        for (size_t c = 0; c < x.cols; ++c) out.first[c] += first[c];
        for (size_t c = 0; c < x.cols; ++c) out.second[c] += second[c];
    }
    return out;
}

SharedMatrix sum_columns(const SharedMatrix& x) {
    SharedMatrix out(x.rows, 1);
    for (size_t r = 0; r < x.rows; ++r) {
        Ring first = 0, second = 0;
        for (size_t c = 0; c < x.cols; ++c) {
            first += x.first[r * x.cols + c];
            second += x.second[r * x.cols + c];
        }
        out.first[r] = first;
        out.second[r] = second;
    }
    return out;
}

SharedMatrix repeat_column(const SharedMatrix& x, size_t cols) {
    if (x.cols != 1) {
        throw Error(ErrorCode::kUsage, "only one column can be repeated, got " + shape_text(x));
    }
    SharedMatrix out(x.rows, cols);
    for (size_t i = 0; i < out.size(); ++i) {
        out.first[i] = x.first[i / cols];
        out.second[i] = x.second[i / cols];
    }
    return out;
}

SharedMatrix select_rows(const SharedMatrix& x, std::span<const size_t> rows) {
    SharedMatrix out(rows.size(), x.cols);
    for (size_t i = 0; i < rows.size(); ++i) {
        if (rows[i] >= x.rows) {
            throw Error(ErrorCode::kUsage,
                        "row " + std::to_string(rows[i]) + " of a matrix of " + shape_text(x));
        }
        std::copy_n(&x.first[rows[i] * x.cols], x.cols, &out.first[i * x.cols]);
        std::copy_n(&x.second[rows[i] * x.cols], x.cols, &out.second[i * x.cols]);
    }
    return out;
}

SharedMatrix multiply(Party& party, const SharedMatrix& x, const SharedMatrix& y) {
    const TrafficLedger::Scope scope(party.ledger(), "multiply");
    require_same_shape(x, y, "an element-wise product");
    const SharedMatrix *xs[] = {&x}, *ys[] = {&y};
    return internal::sum_of_products(party, xs, ys);
}

SharedMatrix multiply_fixed(Party& party, const SharedMatrix& x, const SharedMatrix& y, int shift) {
    const TrafficLedger::Scope scope(party.ledger(), "multiply_fixed");
    require_same_shape(x, y, "an element-wise product");
    if (party.verifier() != nullptr) return truncate(party, multiply(party, x, y), shift);
    RingVector part(x.size());
    local_multiply(x, y, part.data());
    SharedMatrix out;
    out.rows = x.rows;
    out.cols = x.cols;
    internal::truncate_product(party, part, shift, out.first, out.second);
    return out;
}

SharedMatrix matmul(Party& party, const SharedMatrix& x, const SharedMatrix& y) {
    const TrafficLedger::Scope scope(party.ledger(), "matmul");
    require_inner(x, y);
    const Product one[] = {{.x = &x, .y = &y}};
    return std::move(multiply_all(party, one).front());
}

SharedMatrix matmul_fixed(Party& party, const SharedMatrix& x, const SharedMatrix& y, int shift) {
    const Product one[] = {{.x = &x, .y = &y}};
    return std::move(matmul_fixed(party, one, shift).front());
}

std::vector<SharedMatrix> matmul_fixed(Party& party, std::span<const Product> products, int shift) {
    const TrafficLedger::Scope scope(party.ledger(), "matmul_fixed");
    size_t total = 0;
    std::vector<SharedMatrix> out;
    for (const Product& product : products) {
        const SharedMatrix& shape = out.emplace_back(shape_of(product));
        total += shape.rows * shape.cols;
    }
    if (party.verifier() != nullptr)
        return truncate_all(party, multiply_all(party, products), shift);
    RingVector part(total);
    Ring* next = part.data();
    for (size_t i = 0; i < products.size(); ++i) {
        const Product& product = products[i];
        const size_t size = out[i].rows * out[i].cols;
        if (product.x != nullptr) {
            local_matmul(*product.x, *product.y, next);
        } else {
            std::fill_n(next, size, Ring{0});
        }
        if (product.addend != nullptr) add_part(*product.addend, size, next);
        next += size;
    }
    RingVector first, second;
    internal::truncate_product(party, part, shift, first, second);
    for (SharedMatrix& value : out) value = SharedMatrix(value.rows, value.cols);
    cut(first, second, out);
    return out;
}

}  // namespace ward::mpc
