#include "ward/mpc/fixed_point.h"

#include <cmath>
#include <string>

#include "ward/core/error.h"

namespace ward::mpc {
namespace {

constexpr double kMaxConstant = 0x1p46;

Ring to_ring(double value) { return static_cast<Ring>(std::llround(value * kOne)); }

template <typename T>
RingMatrix encode_all(std::span<const T> values, size_t rows, size_t cols, std::string_view what) {
    if (values.size() != rows * cols) {
        throw Error(ErrorCode::kInvalid, std::string(what) + ": " + std::to_string(values.size()) +
                                             " values, expected " + std::to_string(rows) + " x " +
                                             std::to_string(cols));
    }
    RingMatrix out(rows, cols);
    for (size_t i = 0; i < values.size(); ++i) {
        const double value = static_cast<double>(values[i]);
        if (!(std::abs(value) < kMaxInput)) {
            throw Error(ErrorCode::kInvalid,
                        std::string(what) + ": row " + std::to_string(i / cols) + ", column " +
                            std::to_string(i % cols) +
                            ": values must be finite and below 32768 in magnitude, got " +
                            std::to_string(value),
                        "scale the column before sharing it");
        }
        out.values[i] = to_ring(value);
    }
    return out;
}

}  // namespace

Ring encode_constant(double value) {
    if (!(std::abs(value) < kMaxConstant)) {
        throw Error(ErrorCode::kInvalid,
                    "a constant must be finite and below 2^46, got " + std::to_string(value));
    }
    return to_ring(value);
}

double decode(Ring value) { return static_cast<double>(static_cast<int64_t>(value)) / kOne; }

RingMatrix encode(std::span<const double> values, size_t rows, size_t cols, std::string_view what) {
    return encode_all(values, rows, cols, what);
}

RingMatrix encode(std::span<const float> values, size_t rows, size_t cols, std::string_view what) {
    return encode_all(values, rows, cols, what);
}

std::vector<double> decode(const RingMatrix& matrix) {
    std::vector<double> out(matrix.size());
    for (size_t i = 0; i < out.size(); ++i) out[i] = decode(matrix.values[i]);
    return out;
}

}  // namespace ward::mpc
