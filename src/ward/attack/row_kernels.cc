#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "ward/attack/internal/lanes.h"
#include "ward/attack/internal/row_kernels.h"

namespace ward::attack {
namespace {

constexpr int kMostSweeps = 60;

// Of sizes at(i, count), 16 of them from i on, of which `count` count and the rest is 0.
template <class At>
WARD_INLINE double norm_of(int64_t n, Norm norm, At at) {
    Double16 lanes{};
    for (int64_t i = 0; i < n; i += 16) {
        const Double16 v = at(i, n - i), size = v < 0 ? -v : v;
        if (norm == Norm::kLinf) lanes = size > lanes ? size : lanes;
        if (norm == Norm::kL2) lanes += v * v;
        if (norm == Norm::kL1) lanes += size;
    }
    double total = 0;
    for (int lane = 0; lane < 16; ++lane)
        total = norm == Norm::kLinf ? std::max(total, lanes[lane]) : total + lanes[lane];
    return norm == Norm::kL2 ? std::sqrt(total) : total;
}

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

// Of the coordinates that are stuck at lambda, size * room; of the others their share of the slope.
WARD_SIMD_CLONES void plane_sweep(const float* size, const float* room, float lambda, bool weighted,
                                  int64_t n, double* full, double* free) {
    Float16 filled{}, open{};
    for (int64_t i = 0; i < n; i += 16) {
        const Float16 s = load_some(size + i, n - i), r = load_some(room + i, n - i);
        const Float16 one = Float16{} + 1, weight = weighted ? s : one;
        const auto stuck = lambda * weight >= r;
        filled += stuck ? s * r : Float16{};
        open += stuck ? Float16{} : s * weight;
    }
    *full = add_lanes(filled);
    *free = add_lanes(open);
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
    return norm_of(
        n, norm, [x](int64_t i, int64_t count) __attribute__((always_inline)) {
            return widen(load_some(x + i, count));
        });
}

WARD_SIMD_CLONES double row_distance(const float* a, const float* b, int64_t n, Norm norm) {
    return norm_of(
        n, norm, [ a, b ](int64_t i, int64_t count) __attribute__((always_inline)) {
            return widen(load_some(a + i, count)) - widen(load_some(b + i, count));
        });
}

WARD_SIMD_CLONES double dot(const float* a, const float* b, int64_t n) {
    Double16 lanes{};
    for (int64_t i = 0; i < n; i += 16)
        lanes += widen(load_some(a + i, n - i)) * widen(load_some(b + i, n - i));
    double total = 0;
    for (int lane = 0; lane < 16; ++lane) total += lanes[lane];
    return total;
}

WARD_SIMD_CLONES void probe(const Ball& ball, const float* x, float scale, float* point,
                            int64_t n) {
    const float lower = ball.lower, upper = ball.upper;
    for (int64_t i = 0; i < n; ++i)
        point[i] = std::min(std::max(x[i] + scale * point[i], lower), upper);
}

WARD_SIMD_CLONES void add_difference(const float* a, const float* b, float* sum, int64_t n) {
    for (int64_t i = 0; i < n; ++i) sum[i] += a[i] - b[i];
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
