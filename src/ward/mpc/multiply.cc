#include "ward/mpc/multiply.h"

#include <algorithm>
#include <string>

#include "ward/core/error.h"
#include "ward/mpc/internal/matmul.h"
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

}  // namespace

namespace internal {

void reshare(Party& party, SharedMatrix& out) {
    const int self = party.index();
    RingVector& received = out.second;
    party.draw(self, std::span<Ring>(received));
    for (size_t i = 0; i < out.size(); ++i) out.first[i] += received[i];
    party.draw((self + 1) % 3, std::span<Ring>(received));
    for (size_t i = 0; i < out.size(); ++i) out.first[i] -= received[i];
    Party::Round round(party);
    round.send((self + 2) % 3, out.first);
    round.receive((self + 1) % 3, received);
    round.finish();
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
    for (size_t i = 0; i < x.size(); ++i) {
        out.first[i % x.cols] += x.first[i];
        out.second[i % x.cols] += x.second[i];
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
    SharedMatrix out(x.rows, x.cols);
    local_multiply(x, y, out.first.data());
    internal::reshare(party, out);
    return out;
}

SharedMatrix multiply_fixed(Party& party, const SharedMatrix& x, const SharedMatrix& y, int shift) {
    const TrafficLedger::Scope scope(party.ledger(), "multiply_fixed");
    require_same_shape(x, y, "an element-wise product");
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
    SharedMatrix out(x.rows, y.cols);
    local_matmul(x, y, out.first.data());
    internal::reshare(party, out);
    return out;
}

SharedMatrix matmul_fixed(Party& party, const SharedMatrix& x, const SharedMatrix& y, int shift) {
    const Product one[] = {{.x = &x, .y = &y}};
    return std::move(matmul_fixed(party, one, shift).front());
}

std::vector<SharedMatrix> matmul_fixed(Party& party, std::span<const Product> products, int shift) {
    const TrafficLedger::Scope scope(party.ledger(), "matmul_fixed");
    size_t total = 0;
    for (const Product& product : products) {
        require_inner(*product.x, *product.y);
        total += product.x->rows * product.y->cols;
    }
    RingVector part(total);
    Ring* next = part.data();
    for (const Product& product : products) {
        const size_t size = product.x->rows * product.y->cols;
        local_matmul(*product.x, *product.y, next);
        if (product.addend != nullptr) add_part(*product.addend, size, next);
        next += size;
    }
    RingVector first, second;
    internal::truncate_product(party, part, shift, first, second);
    std::vector<SharedMatrix> out;
    size_t at = 0;
    for (const Product& product : products) {
        SharedMatrix& result = out.emplace_back(product.x->rows, product.y->cols);
        std::copy_n(&first[at], result.size(), result.first.data());
        std::copy_n(&second[at], result.size(), result.second.data());
        at += result.size();
    }
    return out;
}

}  // namespace ward::mpc
