#include "ward/attack/internal/square_patch.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ward::attack {
namespace {

template <typename Body>
void for_window(const PatchGeometry& g, const PatchWindow& w, int64_t channel, const Body& body) {
    for (int64_t r = 0; r < w.height; ++r)
        for (int64_t c = 0; c < w.width; ++c)
            body((channel * g.height + w.top + r) * g.width + w.left + c, r * w.width + c);
}

PatchWindow random_window(const PatchGeometry& g, int64_t height, int64_t width,
                          Generator& generator) {
    const int64_t h = std::min(height, g.height), w = std::min(width, g.width);
    return {below(generator, g.height - h + 1), below(generator, g.width - w + 1), h, w};
}

void normalise(std::vector<float>& v, Norm norm_kind) {
    const double norm = row_norm(v.data(), int64_t(v.size()), norm_kind);
    for (float& value : v) value = static_cast<float>(value / std::max(norm, 1e-12));
}

// Algorithm 3 of the paper, M^(h1, h2): concentric rectangles whose weights fall with 1 / k^2.
std::vector<float> bump(int64_t height, int64_t width, Norm norm) {
    std::vector<float> values(height * width, 0);
    const int64_t row_center = height / 2, column_center = width / 2;
    const int64_t rings = std::max(height, width) / 2 + 1;
    for (int64_t k = 0; k < rings; ++k) {
        const auto weight = static_cast<float>(1.0 / double((k + 1) * (k + 1)));
        for (int64_t r = std::max<int64_t>(0, row_center - k);
             r < std::min(height, row_center + k + 1); ++r)
            for (int64_t c = std::max<int64_t>(0, column_center - k);
                 c < std::min(width, column_center + k + 1); ++c)
                values[r * width + c] += weight;
    }
    normalise(values, norm);
    return values;
}

// Two bumps of opposite sign side by side, one half of the square each, in either orientation.
std::vector<float> bump_pair(int64_t size, Norm norm, Generator& generator) {
    const int64_t first = size / 2, second = size - first;
    std::vector<float> values;
    if (first > 0) values = bump(first, size, norm);
    for (float value : bump(second, size, norm)) values.push_back(-value);
    normalise(values, norm);
    if (random_sign(generator) > 0) return values;
    std::vector<float> turned(values.size());
    for (int64_t r = 0; r < size; ++r)
        for (int64_t c = 0; c < size; ++c) turned[c * size + r] = values[r * size + c];
    return turned;
}

// L2: x = center + epsilon (x - center) / |x - center|, inside the box. L1: the nearest point of
// ball and box, as its authors do.
void push_to_edge(const Ball& ball, const float* center, float* x, int64_t n) {
    if (ball.norm == Norm::kL1) {
        project(ball, center, x, n);
        return;
    }
    const double norm = std::max(row_distance(x, center, n, Norm::kL2), 1e-12);
    const auto scale = static_cast<float>(ball.epsilon / norm * (1 - 1e-7));
    for (int64_t j = 0; j < n; ++j)
        x[j] = std::clamp(center[j] + scale * (x[j] - center[j]), ball.lower, ball.upper);
}

// What adds up over disjoint windows: squares (L2) or amounts (L1) of the perturbation.
double window_mass(const Ball& ball, const PatchGeometry& g, const PatchWindow& w, int64_t channel,
                   const float* center, const float* x) {
    double total = 0;
    for_window(g, w, channel, [&](int64_t j, int64_t) {
        const double d = static_cast<double>(x[j]) - center[j];
        total += ball.norm == Norm::kL1 ? std::abs(d) : d * d;
    });
    return total;
}

bool overlap(const PatchWindow& a, const PatchWindow& b) {
    return a.top < b.top + b.height && b.top < a.top + a.height && a.left < b.left + b.width &&
           b.left < a.left + a.width;
}

// The mass of a norm, and the other way round.
double mass_of(const Ball& ball, double norm) {
    return ball.norm == Norm::kL1 ? norm : norm * norm;
}
double norm_of(const Ball& ball, double mass) {
    return ball.norm == Norm::kL1 ? mass : std::sqrt(mass);
}

// Over the union of both windows.
double union_mass(const Ball& ball, const PatchGeometry& g, const PatchWindow& a,
                  const PatchWindow& b, int64_t channel, const float* center, const float* x) {
    double total =
        window_mass(ball, g, a, channel, center, x) + window_mass(ball, g, b, channel, center, x);
    if (!overlap(a, b)) return total;
    const int64_t top = std::max(a.top, b.top), left = std::max(a.left, b.left);
    const PatchWindow common{top, left, std::min(a.top + a.height, b.top + b.height) - top,
                             std::min(a.left + a.width, b.left + b.width) - left};
    return total - window_mass(ball, g, common, channel, center, x);
}

// Algorithm 3, also in its L1 form: the mass of one window and what is left of the radius go to
// another one.
PatchWindow propose_bumps(const Ball& ball, const PatchGeometry& g, double share,
                          const float* center, const float* best, Generator& generator, float* x) {
    const int64_t n = g.channels * g.height * g.width;
    int64_t size =
        std::max<int64_t>(3, std::llround(std::sqrt(share * double(g.height * g.width))));
    if (size % 2 == 0) ++size;
    size = std::min({size, g.height, g.width});
    const PatchWindow to = random_window(g, size, size, generator);
    const PatchWindow from = random_window(g, size, size, generator);
    const double used = row_distance(best, center, n, ball.norm);
    const double left = std::max(0.0, mass_of(ball, ball.epsilon) - mass_of(ball, used));
    std::vector<float> pattern = bump_pair(size, ball.norm, generator);
    for (int64_t channel = 0; channel < g.channels; ++channel) {
        const double mass = union_mass(ball, g, to, from, channel, center, best);
        const double here = norm_of(ball, window_mass(ball, g, to, channel, center, best)) + 1e-12;
        const float sign = random_sign(generator);
        std::vector<float> fresh(pattern.size());
        for_window(g, to, channel, [&](int64_t j, int64_t k) {
            fresh[k] = sign * pattern[k] + static_cast<float>((best[j] - center[j]) / here);
        });
        normalise(fresh, ball.norm);
        const auto length =
            static_cast<float>(norm_of(ball, mass + left / static_cast<double>(g.channels)));
        for_window(g, from, channel, [&](int64_t j, int64_t) { x[j] = center[j]; });
        for_window(g, to, channel,
                   [&](int64_t j, int64_t k) { x[j] = center[j] + length * fresh[k]; });
    }
    push_to_edge(ball, center, x, n);
    return {0, 0, g.height, g.width};
}

PatchWindow propose_linf(const Ball& ball, const PatchGeometry& g, double share,
                         const float* center, Generator& generator, float* x) {
    const double pixels = share * static_cast<double>(g.height * g.width);
    const bool flat = g.width == 1;
    const auto size = std::max<int64_t>(1, std::llround(flat ? pixels : std::sqrt(pixels)));
    const PatchWindow window = random_window(g, size, flat ? 1 : size, generator);
    for (int64_t channel = 0; channel < g.channels; ++channel) {
        const float offset = random_sign(generator) * 2 * ball.epsilon;
        for_window(g, window, channel, [&](int64_t j, int64_t) {
            const float low = std::max(center[j] - ball.epsilon, ball.lower);
            const float high = std::min(center[j] + ball.epsilon, ball.upper);
            x[j] = std::clamp(x[j] + offset, low, high);
        });
    }
    return window;
}

}  // namespace

void first_pattern(const Ball& ball, const PatchGeometry& g, const float* center,
                   Generator& generator, float* x) {
    const int64_t n = g.channels * g.height * g.width;
    if (ball.norm == Norm::kLinf) {
        for (int64_t channel = 0; channel < g.channels; ++channel)
            for (int64_t c = 0; c < g.width; ++c) {
                const float offset = random_sign(generator) * ball.epsilon;
                const PatchWindow stripe{0, c, g.height, 1};
                for_window(g, stripe, channel,
                           [&](int64_t j, int64_t) { x[j] = center[j] + offset; });
            }
        project(ball, center, x, n);
        return;
    }
    const int64_t size = std::max<int64_t>(1, std::min(g.height, g.width) / 5);
    for (int64_t top = 0; top + size <= g.height; top += size) {
        for (int64_t left = 0; left + size <= g.width; left += size) {
            const std::vector<float> pattern = bump_pair(size, ball.norm, generator);
            for (int64_t channel = 0; channel < g.channels; ++channel) {
                const float sign = random_sign(generator);
                for_window(g, {top, left, size, size}, channel,
                           [&](int64_t j, int64_t k) { x[j] = center[j] + sign * pattern[k]; });
            }
        }
    }
    push_to_edge(ball, center, x, n);
}

PatchWindow propose(const Ball& ball, const PatchGeometry& geometry, double share,
                    const float* center, const float* best, Generator& generator, float* x) {
    if (ball.norm == Norm::kLinf) return propose_linf(ball, geometry, share, center, generator, x);
    return propose_bumps(ball, geometry, share, center, best, generator, x);
}

void copy_window(const PatchGeometry& geometry, const PatchWindow& window, const float* from,
                 float* to) {
    for (int64_t channel = 0; channel < geometry.channels; ++channel)
        for_window(geometry, window, channel, [&](int64_t j, int64_t) { to[j] = from[j]; });
}

}  // namespace ward::attack
