#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "ward/attack/internal/row_kernels.h"
#include "ward/core/simd.h"

namespace ward::attack {
namespace {

constexpr int kMostSweeps = 60;

float sign_of(float v) { return v > 0 ? 1.0f : (v < 0 ? -1.0f : 0.0f); }

WARD_SIMD_CLONES void linf_step(const Ball& ball, const float* center, const float* x,
                                const float* gradient, float step, float* out, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
        const float g = gradient[i];
        const float moved = x[i] + (g > 0 ? step : (g < 0 ? -step : 0.0f));
        const float low = std::max(center[i] - ball.epsilon, ball.lower);
        const float high = std::min(center[i] + ball.epsilon, ball.upper);
        out[i] = std::min(std::max(moved, low), high);
    }
}

WARD_SIMD_CLONES void clip_linf(const Ball& ball, const float* center, float* x, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
        const float low = std::max(center[i] - ball.epsilon, ball.lower);
        const float high = std::min(center[i] + ball.epsilon, ball.upper);
        x[i] = std::min(std::max(x[i], low), high);
    }
}

void project_l2(const Ball& ball, const float* center, float* x, int64_t n) {
    const double norm = row_distance(x, center, n, Norm::kL2);
    // A hair inside, so that the rounded point is not outside.
    const float scale =
        norm > ball.epsilon ? static_cast<float>(ball.epsilon / norm * (1 - 1e-7)) : 1.0f;
    for (int64_t i = 0; i < n; ++i) {
        const float moved = center[i] + scale * (x[i] - center[i]);
        x[i] = std::min(std::max(moved, ball.lower), ball.upper);
    }
}

// d_i = sign(u_i) clip(|u_i| - lambda, 0, room_i), lambda such that |d| = epsilon: bisection, as
// the sum falls with lambda but is neither convex nor concave.
void project_l1(const Ball& ball, const float* center, float* x, int64_t n) {
    double most = 0;
    const auto shrunk = [&](int64_t i, float lambda) {
        const float u = x[i] - center[i];
        const float room = u > 0 ? ball.upper - center[i] : center[i] - ball.lower;
        return std::clamp(std::abs(u) - lambda, 0.0f, room);
    };
    double total = 0;
    for (int64_t i = 0; i < n; ++i) {
        total += shrunk(i, 0);
        most = std::max(most, static_cast<double>(std::abs(x[i] - center[i])));
    }
    double low = 0, high = total > ball.epsilon ? most : 0;
    for (int sweep = 0; sweep < 40 && high > 0; ++sweep) {
        const double middle = (low + high) / 2;
        total = 0;
        for (int64_t i = 0; i < n; ++i) total += shrunk(i, static_cast<float>(middle));
        (total > ball.epsilon ? low : high) = middle;
    }
    for (int64_t i = 0; i < n; ++i)
        x[i] = center[i] + sign_of(x[i] - center[i]) * shrunk(i, static_cast<float>(high));
}

// The least value that still belongs to the largest `count` of |gradient|.
float threshold_of(const float* gradient, int64_t n, int64_t count) {
    std::vector<float> sizes(n);
    for (int64_t i = 0; i < n; ++i) sizes[i] = std::abs(gradient[i]);
    std::nth_element(sizes.begin(), sizes.begin() + (count - 1), sizes.end(), std::greater<>());
    return sizes[count - 1];
}

void l1_step(const float* gradient, float step, double sparsity, const float* x, float* out,
             int64_t n) {
    const int64_t count = std::clamp<int64_t>(std::llround(sparsity * n), 1, n);
    const float threshold = threshold_of(gradient, n, count);
    int64_t chosen = 0;
    for (int64_t i = 0; i < n; ++i)
        chosen += std::abs(gradient[i]) >= threshold && gradient[i] != 0 ? 1 : 0;
    const float size = step / static_cast<float>(std::max<int64_t>(1, chosen));
    for (int64_t i = 0; i < n; ++i)
        out[i] = x[i] + (std::abs(gradient[i]) >= threshold ? size * sign_of(gradient[i]) : 0.0f);
}

// How far x_i may go in the direction that lowers the distance to the plane.
struct Rooms {
    const Ball& ball;
    const float* x;
    const float* w;
    float direction;  // of w . x

    float speed(int64_t i) const { return direction * w[i]; }
    float room(int64_t i) const { return speed(i) > 0 ? ball.upper - x[i] : x[i] - ball.lower; }
};

WARD_SIMD_CLONES void plane_sweep(const float* size, const float* room, float lambda, bool weighted,
                                  int64_t n, double* full, double* free) {
    float filled = 0, open = 0;
    for (int64_t i = 0; i < n; ++i) {
        const float reach = weighted ? lambda * size[i] : lambda;
        const bool stuck = reach >= room[i];
        filled += stuck ? size[i] * room[i] : 0.0f;
        open += stuck ? 0.0f : (weighted ? size[i] * size[i] : size[i]);
    }
    *full = filled;
    *free = open;
}

// lambda with sum |w_i| min(lambda s_i, room_i) = gap, where s_i is 1 (Linf) or |w_i| (L2). The sum
// is concave and rises, so Newton from below ends exactly, coordinates only ever becoming stuck.
float plane_multiplier(const float* size, const float* room, double gap, bool weighted, int64_t n) {
    float lambda = 0;
    for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
        double full = 0, free = 0;
        plane_sweep(size, room, lambda, weighted, n, &full, &free);
        if (free <= 0) return std::numeric_limits<float>::max();
        const auto next = static_cast<float>((gap - full) / free);
        if (!(next > lambda * (1 + 1e-6f))) return std::max(next, lambda);
        lambda = next;
    }
    return lambda;
}

// L1: the steepest coordinates go all the way first.
void plane_l1(const float* size, const float* room, double gap, float* length, int64_t n) {
    std::vector<int64_t> order(n);
    for (int64_t i = 0; i < n; ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return size[a] > size[b]; });
    std::fill(length, length + n, 0.0f);
    for (int64_t i : order) {
        if (gap <= 0 || size[i] <= 0) break;
        length[i] = static_cast<float>(std::min<double>(room[i], gap / size[i]));
        gap -= static_cast<double>(size[i]) * length[i];
    }
}

}  // namespace

WARD_SIMD_CLONES double row_norm(const float* x, int64_t n, Norm norm) {
    double total = 0;
    float most = 0;
    for (int64_t i = 0; i < n; ++i) {
        const double v = x[i];
        if (norm == Norm::kLinf) most = std::max(most, std::abs(x[i]));
        if (norm == Norm::kL2) total += v * v;
        if (norm == Norm::kL1) total += std::abs(v);
    }
    if (norm == Norm::kLinf) return most;
    return norm == Norm::kL2 ? std::sqrt(total) : total;
}

WARD_SIMD_CLONES double row_distance(const float* a, const float* b, int64_t n, Norm norm) {
    double total = 0, most = 0;
    for (int64_t i = 0; i < n; ++i) {
        const double v = static_cast<double>(a[i]) - b[i];
        if (norm == Norm::kLinf) most = std::max(most, std::abs(v));
        if (norm == Norm::kL2) total += v * v;
        if (norm == Norm::kL1) total += std::abs(v);
    }
    if (norm == Norm::kLinf) return most;
    return norm == Norm::kL2 ? std::sqrt(total) : total;
}

WARD_SIMD_CLONES double dot(const float* a, const float* b, int64_t n) {
    double total = 0;
    for (int64_t i = 0; i < n; ++i) total += static_cast<double>(a[i]) * b[i];
    return total;
}

void project(const Ball& ball, const float* center, float* x, int64_t n) {
    if (ball.norm == Norm::kLinf) clip_linf(ball, center, x, n);
    if (ball.norm == Norm::kL2) project_l2(ball, center, x, n);
    if (ball.norm == Norm::kL1) project_l1(ball, center, x, n);
}

void ascend(const Ball& ball, const float* center, const float* x, const float* gradient,
            float step, double sparsity, float* out, int64_t n) {
    if (ball.norm == Norm::kLinf) {
        linf_step(ball, center, x, gradient, step, out, n);
        return;
    }
    if (ball.norm == Norm::kL2) {
        const auto scale =
            static_cast<float>(step / std::max(row_norm(gradient, n, Norm::kL2), 1e-30));
        for (int64_t i = 0; i < n; ++i) out[i] = x[i] + scale * gradient[i];
    } else {
        l1_step(gradient, step, sparsity, x, out, n);
    }
    project(ball, center, out, n);
}

void project_on_plane(const Ball& ball, const float* x, const float* w, double b, float* d,
                      int64_t n) {
    const double gap = b - dot(w, x, n);
    const Rooms rooms{ball, x, w, gap > 0 ? 1.0f : -1.0f};
    std::vector<float> size(n), room(n);
    for (int64_t i = 0; i < n; ++i) {
        size[i] = std::abs(w[i]);
        room[i] = std::max(0.0f, rooms.room(i));
    }
    if (ball.norm == Norm::kL1) {
        plane_l1(size.data(), room.data(), std::abs(gap), d, n);
    } else {
        const bool weighted = ball.norm == Norm::kL2;
        const float lambda = plane_multiplier(size.data(), room.data(), std::abs(gap), weighted, n);
        for (int64_t i = 0; i < n; ++i)
            d[i] = size[i] > 0 ? std::min(weighted ? lambda * size[i] : lambda, room[i]) : 0.0f;
    }
    for (int64_t i = 0; i < n; ++i) d[i] *= sign_of(rooms.speed(i));
}

}  // namespace ward::attack
