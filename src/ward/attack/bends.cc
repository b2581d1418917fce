#include "ward/attack/internal/bends.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr double kSlopeStep = 1e-5;   // relative to the place
constexpr double kTolerance = 1e-8;   // of slopes and values, relative to the largest slope
constexpr double kRounding = 1e-12;   // of values, relative to largest slope times place
constexpr double kLeastWidth = 1e-5;  // of an interval, relative to its place
constexpr int kMostLevels = 64;

using Values = std::vector<double>;

double magnitude(double t) { return std::max(1.0, std::abs(t)); }

// One end of an interval, with the slope on the side of the interval.
struct End {
    double t = 0;
    Values value, slope;
};

struct Interval {
    End left, right;
};

class LineSearch {
  public:
    LineSearch(const ExactOracle& oracle, const at::Tensor& u, const at::Tensor& v)
        : oracle_(oracle), u_(u), v_(v) {}

    std::vector<Bend> run(double range) {
        std::vector<Interval> open = {whole(range)};
        for (int level = 0; level < kMostLevels && !open.empty(); ++level) {
            open.erase(
                std::remove_if(open.begin(), open.end(),
                               [&](const Interval& i) { return is_straight(i) || is_tiny(i); }),
                open.end());
            open = cut(take_single_bends(std::move(open)));
        }
        std::sort(found_.begin(), found_.end(),
                  [](const Bend& a, const Bend& b) { return a.place < b.place; });
        measure_room(range);
        return found_;
    }

  private:
    std::vector<Values> values_at(const std::vector<double>& places) const {
        if (places.empty()) return {};
        const at::Tensor t = torch::tensor(places, at::kDouble).unsqueeze(1);
        const at::Tensor y = oracle_(u_.unsqueeze(0) + t * v_.unsqueeze(0)).contiguous();
        const int64_t outputs = y.size(1);
        const double* first = y.data_ptr<double>();
        std::vector<Values> rows;
        for (size_t i = 0; i < places.size(); ++i, first += outputs)
            rows.emplace_back(first, first + outputs);
        return rows;
    }

    static Values slope(double t0, const Values& f0, double t1, const Values& f1) {
        Values result(f0.size());
        for (size_t k = 0; k < f0.size(); ++k) result[k] = (f1[k] - f0[k]) / (t1 - t0);
        return result;
    }

    Interval whole(double range) {
        const double step = kSlopeStep * magnitude(range);
        const auto f = values_at({-range, -range + step, range - step, range});
        Interval result{{-range, f[0], slope(-range, f[0], -range + step, f[1])},
                        {range, f[3], slope(range - step, f[2], range, f[3])}};
        note(result.left.slope);
        note(result.right.slope);
        return result;
    }

    void note(const Values& slope) {
        for (double s : slope) scale_ = std::max(scale_, std::abs(s));
    }

    static double gap(const Values& a, const Values& b) {
        double most = 0;
        for (size_t k = 0; k < a.size(); ++k) most = std::max(most, std::abs(a[k] - b[k]));
        return most;
    }

    static bool is_tiny(const Interval& i) {
        return i.right.t - i.left.t <
               kLeastWidth * std::max(magnitude(i.left.t), magnitude(i.right.t));
    }

    bool is_straight(const Interval& i) const {
        const double width = i.right.t - i.left.t;
        return gap(i.left.slope, i.right.slope) <= kTolerance * scale_ &&
               gap(i.right.value, along(i.left, width)) <= kTolerance * scale_ * width;
    }

    static Values along(const End& end, double distance) {
        Values result(end.value);
        for (size_t k = 0; k < result.size(); ++k) result[k] += distance * end.slope[k];
        return result;
    }

    // Where the two straight lines of an interval meet, by the output that turns most.
    static double meeting(const Interval& i) {
        size_t k = 0;
        double most = -1;
        for (size_t j = 0; j < i.left.slope.size(); ++j) {
            const double turn = std::abs(i.right.slope[j] - i.left.slope[j]);
            if (turn > most) {
                most = turn;
                k = j;
            }
        }
        if (most == 0) return i.left.t;
        const double width = i.right.t - i.left.t;
        return i.left.t + (i.right.value[k] - i.left.value[k] - i.right.slope[k] * width) /
                              (i.left.slope[k] - i.right.slope[k]);
    }

    // Records the bends of intervals that have one, and returns the others.
    std::vector<Interval> take_single_bends(std::vector<Interval> open) {
        std::vector<double> places, sides;
        std::vector<size_t> candidates;
        for (size_t i = 0; i < open.size(); ++i) {
            const double t = meeting(open[i]), margin = 0.02 * (open[i].right.t - open[i].left.t);
            if (!(t > open[i].left.t + 1e-3 * margin && t < open[i].right.t - 1e-3 * margin))
                continue;
            candidates.push_back(i);
            places.push_back(t);
        }
        const auto f = values_at(places);
        std::vector<bool> taken(open.size());
        std::vector<Interval> single;
        std::vector<Meeting> meetings;
        for (size_t c = 0; c < candidates.size(); ++c) {
            const Interval& i = open[candidates[c]];
            const double allowed = kTolerance * scale_ * (i.right.t - i.left.t);
            if (gap(f[c], along(i.left, places[c] - i.left.t)) > allowed ||
                gap(f[c], along(i.right, places[c] - i.right.t)) > allowed)
                continue;
            taken[candidates[c]] = true;
            single.push_back(i);
            meetings.push_back({places[c], f[c]});
            sides.push_back(places[c] - 0.1 * (places[c] - i.left.t));
            sides.push_back(places[c] + 0.1 * (i.right.t - places[c]));
        }
        std::vector<Interval> rest = sharpen(single, meetings, sides);
        for (size_t i = 0; i < open.size(); ++i)
            if (!taken[i]) rest.push_back(std::move(open[i]));
        return rest;
    }

    struct Meeting {
        double t;
        Values value;
    };

    // The slopes once more, over nearly the whole of both sides, which makes them exact to
    // rounding. What two bends close together let pass before does not pass now; such intervals are
    // returned.
    std::vector<Interval> sharpen(const std::vector<Interval>& single,
                                  const std::vector<Meeting>& meetings,
                                  const std::vector<double>& sides) {
        const auto f = values_at(sides);
        std::vector<Interval> doubtful;
        for (size_t s = 0; s < single.size(); ++s) {
            Interval i = single[s];
            i.left.slope = slope(i.left.t, i.left.value, sides[2 * s], f[2 * s]);
            i.right.slope = slope(sides[2 * s + 1], f[2 * s + 1], i.right.t, i.right.value);
            const Meeting& m = meetings[s];
            const double size = std::max(magnitude(i.left.t), magnitude(i.right.t));
            const double allowed = kRounding * scale_ * size;
            if (gap(m.value, along(i.left, m.t - i.left.t)) > allowed ||
                gap(m.value, along(i.right, m.t - i.right.t)) > allowed) {
                doubtful.push_back(single[s]);
                continue;
            }
            Values jump(i.left.slope.size());
            for (size_t k = 0; k < jump.size(); ++k) jump[k] = i.right.slope[k] - i.left.slope[k];
            found_.push_back({meeting(i), jump, 0});
        }
        return doubtful;
    }

    std::vector<Interval> cut(const std::vector<Interval>& open) {
        std::vector<double> places;
        for (const Interval& i : open) {
            const double middle = 0.5 * (i.left.t + i.right.t);
            const double step =
                std::min(kSlopeStep * magnitude(middle), 0.05 * (i.right.t - i.left.t));
            places.insert(places.end(), {middle - step, middle, middle + step});
        }
        const auto f = values_at(places);
        std::vector<Interval> halves;
        for (size_t i = 0; i < open.size(); ++i) {
            const double* t = &places[3 * i];
            const Values* v = &f[3 * i];
            const End left{t[1], v[1], slope(t[0], v[0], t[1], v[1])};
            const End right{t[1], v[1], slope(t[1], v[1], t[2], v[2])};
            note(left.slope);
            note(right.slope);
            halves.push_back({open[i].left, left});
            halves.push_back({right, open[i].right});
        }
        return halves;
    }

    void measure_room(double range) {
        for (size_t i = 0; i < found_.size(); ++i) {
            const double before = i > 0 ? found_[i - 1].place : -range;
            const double after = i + 1 < found_.size() ? found_[i + 1].place : range;
            found_[i].room = std::min(found_[i].place - before, after - found_[i].place);
        }
    }

    const ExactOracle& oracle_;
    at::Tensor u_, v_;
    double scale_ = 0;
    std::vector<Bend> found_;
};

}  // namespace

std::vector<Bend> bends_on_line(const ExactOracle& oracle, const at::Tensor& u, const at::Tensor& v,
                                double range) {
    return LineSearch(oracle, u, v).run(range);
}

}  // namespace ward::attack
