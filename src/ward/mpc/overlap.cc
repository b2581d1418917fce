#include "ward/mpc/overlap.h"

#include <string>

#include "ward/core/error.h"
#include "ward/mpc/internal/matmul.h"
#include "ward/mpc/truncate.h"

namespace ward::mpc {

SharedMatrix matmul_mapped_fixed(Party& party, const SharedMatrix& x, const SharedMatrix& y,
                                 const LinearMap& map, size_t rows, size_t cols, int shift) {
    const net::TrafficLedger::Scope scope(party.ledger(), "matmul_mapped");
    if (x.cols != y.rows) {
        throw Error(ErrorCode::kUsage, "a product needs as many columns as rows, got " +
                                           std::to_string(x.cols) + " and " +
                                           std::to_string(y.rows));
    }
    SharedMatrix out(rows, cols);
    if (party.verifier() != nullptr) {
        const SharedMatrix product = matmul(party, x, y);
        map(product.first, out.first);
        map(product.second, out.second);
        return truncate(party, out, shift);
    }
    // This party's additive part: x_i (y_i + y_(i+1)) + x_(i+1) y_i.
    RingVector both(y.size()), part(x.rows * y.cols);
    for (size_t i = 0; i < y.size(); ++i) both[i] = y.first[i] + y.second[i];
    std::fill(part.begin(), part.end(), Ring{0});
    internal::matmul_accumulate(x.first.data(), both.data(), part.data(), x.rows, x.cols, y.cols);
    internal::matmul_accumulate(x.second.data(), y.first.data(), part.data(), x.rows, x.cols,
                                y.cols);
    RingVector mapped(rows * cols);
    map(part, mapped);
    internal::truncate_product(party, mapped, shift, out.first, out.second);
    return out;
}

}  // namespace ward::mpc
