#include "ward/attack/patch.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "ward/attack/internal/losses.h"
#include "ward/attack/internal/margin_search.h"
#include "ward/attack/internal/rows.h"
#include "ward/core/error.h"
#include "ward/core/progress.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

void check(const Points& points, const PatchOptions& options) {
    const auto fail = [](const std::string& message) { throw Error(ErrorCode::kUsage, message); };
    if (!points.x.defined() || points.x.dim() != 4) {
        throw Error(ErrorCode::kUnsupported, "a patch is laid into images",
                    "give inputs {channels, height, width}");
    }
    if (options.sizes.empty()) fail("give at least one size of the patch");
    for (const double size : options.sizes) {
        if (!(size > 0 && size <= 1))
            fail("sizes of a patch must be > 0 and at most 1, got " + std::to_string(size));
    }
    if (!(options.rotation_degrees >= 0 && options.rotation_degrees <= 180))
        fail("rotation must be between 0 and 180 degrees, got " +
             std::to_string(options.rotation_degrees));
    if (options.steps < 1 || options.batch < 1 || !(options.step_size > 0))
        fail("steps, batch and step size of a patch must be > 0");
    if (!(options.lower < options.upper)) fail("the box of inputs must not be empty");
}

// Where the patches of a batch lie: sampling places {n, height, width, 2} in the patch, whose edges
// are at -1 and 1.
class Placement {
  public:
    Placement(const at::Tensor& x, const std::vector<double>& sizes, const PatchOptions& options,
              Generator& generator)
        : lower_(options.lower) {
        const int64_t n = x.size(0), height = x.size(2), width = x.size(3);
        const double shorter = double(std::min(height, width));
        at::Tensor turn = torch::empty({n, 2, 3});
        for (int64_t i = 0; i < n; ++i) {
            const double angle =
                (2 * uniform01(generator) - 1) * options.rotation_degrees * M_PI / 180;
            const double side = sizes[static_cast<size_t>(i)] * shorter;
            const double reach = side * (std::abs(std::cos(angle)) + std::abs(std::sin(angle)));
            const double cx = middle(generator, double(width), reach);
            const double cy = middle(generator, double(height), reach);
            // From image coordinates in [-1, 1] to pixels around the middle, turned, over the side.
            const double c = std::cos(angle) / side, s = std::sin(angle) / side;
            float* t = turn.data_ptr<float>() + i * 6;
            t[0] = static_cast<float>(c * double(width));
            t[1] = static_cast<float>(s * double(height));
            t[2] = static_cast<float>(-2 * (c * cx + s * cy));
            t[3] = static_cast<float>(-s * double(width));
            t[4] = static_cast<float>(c * double(height));
            t[5] = static_cast<float>(-2 * (c * cy - s * cx));
        }
        grid_ = at::affine_grid_generator(turn, {n, 1, height, width}, false);
        mask_ = sampled(torch::ones({1, 1, 1}));
    }

    // Linear in the patch.
    at::Tensor lay(const at::Tensor& x, const at::Tensor& patch) const {
        return x * (1 - mask_) + lower_ * mask_ + sampled(patch - lower_);
    }

    // The derivative by the patch of a loss with this derivative by the images.
    at::Tensor adjoint(const at::Tensor& patch, const at::Tensor& gradient) const {
        at::AutoGradMode grad_mode(true);
        const at::Tensor leaf = patch.detach().clone().set_requires_grad(true);
        return torch::autograd::grad({sampled(leaf)}, {leaf}, {gradient})[0].contiguous();
    }

  private:
    // A coordinate of the middle, 0 at the middle of the image, so that the patch lies inside where
    // it fits.
    static double middle(Generator& generator, double extent, double reach) {
        const double room = std::max(0.0, extent - reach) / 2;
        return (2 * uniform01(generator) - 1) * room;
    }

    // Bilinear, nothing outside of the patch; at its edge half a patch pixel fades out.
    at::Tensor sampled(const at::Tensor& patch) const {
        const at::Tensor many =
            patch.unsqueeze(0).expand({grid_.size(0), patch.size(0), patch.size(1), patch.size(2)});
        constexpr int64_t kBilinear = 0, kBorder = 1;
        const at::Tensor inside =
            (grid_.abs() <= 1).all(-1).unsqueeze(1).to(at::kFloat);  // {n, 1, height, width}
        return at::grid_sampler_2d(many, grid_, kBilinear, kBorder, false) * inside;
    }

    double lower_;
    at::Tensor grid_, mask_;
};

std::vector<double> random_sizes(int64_t n, const PatchOptions& options, Generator& generator) {
    const auto [least, most] = std::minmax_element(options.sizes.begin(), options.sizes.end());
    std::vector<double> sizes;
    for (int64_t i = 0; i < n; ++i)
        sizes.push_back(*least + (*most - *least) * uniform01(generator));
    return sizes;
}

at::Tensor random_pixels(const at::Tensor& like, const PatchOptions& options,
                         Generator& generator) {
    at::Tensor pixels = torch::empty_like(like);
    for (int64_t j = 0; j < pixels.numel(); ++j) {
        pixels.data_ptr<float>()[j] = static_cast<float>(
            options.lower + (options.upper - options.lower) * uniform01(generator));
    }
    return pixels;
}

at::Tensor make_patch(Target& target, const Points& points, const PatchOptions& options,
                      Generator& generator) {
    const int64_t shorter = std::min(points.x.size(2), points.x.size(3));
    const double most = *std::max_element(options.sizes.begin(), options.sizes.end());
    const int64_t k = std::max<int64_t>(1, std::llround(most * double(shorter)));
    const double width = options.upper - options.lower;
    at::Tensor patch =
        torch::full({points.x.size(1), k, k}, (options.lower + options.upper) / 2, at::kFloat);
    at::Tensor mean = torch::zeros_like(patch), square = torch::zeros_like(patch);
    Progress progress("patch", options.steps, "steps");
    for (int64_t step = 1; step <= options.steps; ++step) {
        at::Tensor rows = torch::empty({options.batch}, at::kLong);
        for (int64_t i = 0; i < options.batch; ++i)
            rows.data_ptr<int64_t>()[i] = below(generator, points.size());
        const Points some = points.select(rows);
        const Placement place(some.x, random_sizes(some.size(), options, generator), options,
                              generator);
        const auto pass = target.gradient(place.lay(some.x, patch), [&](const at::Tensor& logits,
                                                                        int64_t first) {
            const int64_t n = logits.size(0);
            return evaluate_loss(Loss::kCrossEntropy, logits, some.y.narrow(0, first, n),
                                 some.targeted() ? some.wanted.narrow(0, first, n) : at::Tensor())
                .cotangent;
        });
        const at::Tensor slope =
            place.adjoint(patch, pass.gradient) / static_cast<double>(options.batch);
        const AdamStep adam(options.step_size * width, step);
        for (int64_t j = 0; j < patch.numel(); ++j) {
            float& pixel = patch.data_ptr<float>()[j];
            pixel += adam.change(-double(slope.data_ptr<float>()[j]), mean.data_ptr<float>()[j],
                                 square.data_ptr<float>()[j]);
            pixel = std::clamp(pixel, static_cast<float>(options.lower),
                               static_cast<float>(options.upper));
        }
        progress.update(step);
    }
    progress.finish();
    return patch;
}

// Examples on which a patch can succeed.
Points vulnerable(Target& target, const Points& points) {
    at::Tensor open = target.labels(points.x) == points.y;
    if (points.targeted()) open &= points.y != points.wanted;
    const at::Tensor rows = open.nonzero().flatten();
    if (rows.numel() == 0) {
        throw Error(ErrorCode::kInvalid,
                    "no example is left to measure the patch on: none is right and of another "
                    "class than the wanted one",
                    "give more examples or another class");
    }
    return points.select(rows);
}

}  // namespace

at::Tensor lay_patch(const at::Tensor& x, const at::Tensor& patch, const std::vector<double>& sizes,
                     const PatchOptions& options, uint64_t seed) {
    Generator generator(seed);
    return Placement(x, sizes, options, generator).lay(x, patch).contiguous();
}

PatchResult attack_with_patch(Target& target, const Points& making, const Points& measured,
                              const PatchOptions& options) {
    check(making, options);
    check(measured, options);
    if (making.size() == 0)
        throw Error(ErrorCode::kInvalid, "there are no examples to make the patch on");
    const Points open = vulnerable(target, measured);
    Generator generator(options.seed);
    PatchResult result;
    result.patch = make_patch(target, making, options, generator);
    const at::Tensor noise = random_pixels(result.patch, options, generator);
    std::vector<at::Tensor> shown;
    for (size_t k = 0; k < options.sizes.size(); ++k) {
        const std::vector<double> sizes(static_cast<size_t>(open.size()), options.sizes[k]);
        const uint64_t places = generator();
        const auto fooled = [&](const at::Tensor& x) {
            return open.fooled_by_labels(target.labels(x)).sum().item<int64_t>();
        };
        const at::Tensor x = lay_patch(open.x, result.patch, sizes, options, places);
        PatchSuccess success{.size = options.sizes[k], .examples = open.size()};
        success.fooled = fooled(x);
        success.fooled_by_noise = fooled(lay_patch(open.x, noise, sizes, options, places));
        success.interval = clopper_pearson(success.fooled, success.examples);
        result.success.push_back(success);
        shown.push_back(x[static_cast<int64_t>(k) % x.size(0)]);
    }
    result.shown = at::stack(shown);
    return result;
}

}  // namespace ward::attack
