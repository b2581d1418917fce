#include "ward/attack/zoo.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "ward/attack/internal/margin_search.h"
#include "ward/attack/internal/nearest.h"
#include "ward/attack/internal/rows.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr int64_t kCoordinates = 128;     // of one step
constexpr int64_t kRowsAtOnce = 1 << 14;  // queries that are held in memory together
constexpr double kDistance = 1e-3;        // from the middle of a difference to its ends, of the box
constexpr double kLearningRate = 0.01;    // of the box
constexpr double kFirstWeight = 10;

// One descent of all examples.
struct Walk {
    at::Tensor x, mean, square;
    std::vector<int32_t> age;          // steps of each coordinate
    at::Tensor slopes;                 // of the margin, {n, coordinates}
    std::vector<int64_t> coordinates;  // n times so many
};

class Zoo : public Attack {
  public:
    explicit Zoo(const EvasionOptions& options) : options_(options) {
        if (options_.norm != Norm::kL2)
            throw Error(ErrorCode::kUnsupported, "zoo knows the norm l2 only",
                        "use square or simba for linf");
        if (options_.steps == 0) options_.steps = 1000;
        if (options_.restarts == 0) options_.restarts = 1;
        width_ = options_.upper - options_.lower;
        if (options_.step_size == 0) options_.step_size = kLearningRate * width_;
    }

    std::string_view name() const override { return "zoo"; }
    Access needs() const override { return Access::kScores; }
    bool minimises_norm() const override { return true; }

    at::Tensor perturb(Target& target, const Points& points) override {
        Generator generator(options_.seed);
        Nearest nearest(points.x, Norm::kL2);
        search_weights(points.size(), kFirstWeight, options_.restarts,
                       [&](const std::vector<MarginWeight>& weights) {
                           return descend(target, points, weights, generator, nearest);
                       });
        return nearest.points();
    }

  private:
    std::vector<bool> descend(Target& target, const Points& points,
                              const std::vector<MarginWeight>& weights, Generator& generator,
                              Nearest& nearest) const {
        const int64_t n = points.size();
        Walk walk = begin(points);
        const at::Tensor owner = torch::arange(n);
        std::vector<bool> ever(static_cast<size_t>(n), false);
        Stagnation stagnation(options_.steps);
        for (int64_t step = 1; step <= options_.steps; ++step) {
            const at::Tensor logits = target.logits(walk.x);
            const at::Tensor margin = margin_of(points, logits);
            const at::Tensor fooled = points.fooled(logits).contiguous();
            nearest.offer_all(fooled, walk.x, owner);
            double total = 0;
            for (int64_t i = 0; i < n; ++i) {
                if (fooled.data_ptr<bool>()[i]) ever[i] = true;
                const double d =
                    row_distance(row(walk.x, i), row(points.x, i), row_size(walk.x), Norm::kL2);
                total += d * d +
                         weights[i].value() * std::max(0.0, -double(margin.data_ptr<float>()[i]));
            }
            if (stagnation.reached(step, total)) break;
            choose(generator, walk);
            ask(target, points, (margin < 0).nonzero().flatten(), walk);
            for (int64_t i = 0; i < n; ++i) update(points.x, weights[i].value(), i, walk);
        }
        return ever;
    }

    static Walk begin(const Points& points) {
        Walk walk;
        walk.x = points.x.clone();
        walk.mean = torch::zeros_like(walk.x);
        walk.square = torch::zeros_like(walk.x);
        walk.age.assign(static_cast<size_t>(walk.x.numel()), 0);
        walk.slopes = torch::empty({walk.x.size(0), std::min(kCoordinates, row_size(walk.x))});
        walk.coordinates.resize(static_cast<size_t>(walk.slopes.numel()));
        return walk;
    }

    // Other coordinates of each example, without repetition: the first of a random order.
    static void choose(Generator& generator, Walk& walk) {
        const int64_t features = row_size(walk.x), k = walk.slopes.size(1);
        std::vector<int64_t> order(static_cast<size_t>(features));
        std::iota(order.begin(), order.end(), int64_t{0});
        for (int64_t i = 0; i < walk.x.size(0); ++i) {
            for (int64_t j = 0; j < k; ++j) {
                std::swap(order[j], order[j + below(generator, features - j)]);
                walk.coordinates[i * k + j] = order[j];
            }
        }
    }

    // Slopes of the margin of these examples along their coordinates; of the others they are 0.
    void ask(Target& target, const Points& points, const at::Tensor& open, Walk& walk) const {
        const int64_t k = walk.slopes.size(1);
        const int64_t at_once = std::max<int64_t>(1, kRowsAtOnce / (2 * k));
        walk.slopes.zero_();
        for (int64_t first = 0; first < open.numel(); first += at_once) {
            const at::Tensor some = open.narrow(0, first, std::min(at_once, open.numel() - first));
            const at::Tensor each = some.repeat_interleave(2 * k);
            const Points ends = points.select(each);
            at::Tensor x = walk.x.index_select(0, each);
            for (int64_t r = 0; r < x.size(0); ++r) {
                const int64_t i = each.data_ptr<int64_t>()[r], place = r % (2 * k) / 2;
                float& moved = row(x, r)[walk.coordinates[i * k + place]];
                moved = inside(moved + (r % 2 == 0 ? kDistance : -kDistance) * width_);
            }
            const at::Tensor margin = margin_of(ends, target.logits(x));
            for (int64_t r = 0; r < x.size(0); r += 2) {
                const int64_t i = each.data_ptr<int64_t>()[r], place = r % (2 * k) / 2;
                const int64_t j = walk.coordinates[i * k + place];
                const float* value = margin.data_ptr<float>() + r;
                row(walk.slopes, i)[place] =
                    (value[0] - value[1]) / (row(x, r)[j] - row(x, r + 1)[j]);
            }
        }
    }

    float inside(double x) const {
        return static_cast<float>(std::clamp(x, options_.lower, options_.upper));
    }

    // One step on |x - x0|^2 - weight margin along the coordinates of example i.
    void update(const at::Tensor& center, double weight, int64_t i, Walk& walk) const {
        const int64_t k = walk.slopes.size(1), features = row_size(walk.x);
        const float* x0 = row(center, i);
        float* x = row(walk.x, i);
        for (int64_t place = 0; place < k; ++place) {
            const int64_t j = walk.coordinates[i * k + place];
            const double slope = 2 * (double(x[j]) - x0[j]) - weight * row(walk.slopes, i)[place];
            const AdamStep adam(options_.step_size, ++walk.age[i * features + j]);
            x[j] = inside(x[j] + adam.change(slope, row(walk.mean, i)[j], row(walk.square, i)[j]));
        }
    }

    EvasionOptions options_;
    double width_;
};

}  // namespace

std::unique_ptr<Attack> make_zoo(const EvasionOptions& options) {
    return std::make_unique<Zoo>(options);
}

}  // namespace ward::attack
