#include "ward/nn/internal/recorded_norms.h"

#include "ward/nn/kernels.h"

namespace ward::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

Tape& tape_of(AutogradContext* context) {
    return *reinterpret_cast<Tape*>(context->saved_data["tape"].toInt());
}

void keep_places(AutogradContext* context, Tape* tape, int64_t scale_index, int64_t shift_index) {
    context->saved_data["tape"] = reinterpret_cast<int64_t>(tape);
    context->saved_data["scale"] = scale_index;
    context->saved_data["shift"] = shift_index;
}

// `scale_gradient` and `shift_gradient`: {B, features}.
void file_gradients(AutogradContext* context, const at::Tensor& scale_gradient,
                    const at::Tensor& shift_gradient) {
    const auto scale = context->saved_data["scale"].toInt();
    const auto shift = context->saved_data["shift"].toInt();
    if (scale >= 0) tape_of(context).add_direct(static_cast<int>(scale), scale_gradient);
    if (shift >= 0) tape_of(context).add_direct(static_cast<int>(shift), shift_gradient);
}

struct RecordedGroupNorm : torch::autograd::Function<RecordedGroupNorm> {
    static Variable forward(AutogradContext* context, const Variable& x, const Variable& scale,
                            const Variable& shift, const Variable& /*anchor*/, int64_t groups,
                            double epsilon, int64_t tape, int64_t scale_index,
                            int64_t shift_index) {
        const at::Tensor input = x.contiguous();
        const int64_t batch = input.size(0), channels = input.size(1);
        const int64_t area = input.numel() / (batch * channels);
        auto [y, mean, rstd] =
            at::native_group_norm(input, scale, shift, batch, channels, area, groups, epsilon);
        context->save_for_backward({input, scale, mean, rstd});
        context->saved_data["groups"] = groups;
        keep_places(context, reinterpret_cast<Tape*>(tape), scale_index, shift_index);
        return y;
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &scale = saved[1], &mean = saved[2], &rstd = saved[3];
        const at::Tensor g = gradients[0].contiguous();
        const int64_t groups = context->saved_data["groups"].toInt();
        const int64_t batch = x.size(0), channels = x.size(1),
                      area = x.numel() / (batch * channels);

        auto [products, sums] =
            row_dot_and_sum(g.view({batch * channels, area}), x.view({batch * channels, area}));
        const auto per_group = [&](const at::Tensor& t) {
            return t.view({batch, groups, channels / groups});
        };
        const at::Tensor scale_gradient =
            (per_group(products) - per_group(sums) * mean.view({batch, groups, 1})) *
            rstd.view({batch, groups, 1});
        file_gradients(context, scale_gradient.view({batch, channels}),
                       sums.view({batch, channels}));

        const auto dx = std::get<0>(at::native_group_norm_backward(
            g, x, mean, rstd, scale, batch, channels, area, groups, {true, false, false}));
        return {dx, {}, {}, {}, {}, {}, {}, {}, {}};
    }
};

struct RecordedLayerNorm : torch::autograd::Function<RecordedLayerNorm> {
    static Variable forward(AutogradContext* context, const Variable& x, const Variable& scale,
                            const Variable& shift, const Variable& /*anchor*/, double epsilon,
                            int64_t tape, int64_t scale_index, int64_t shift_index) {
        const at::Tensor input = x.contiguous();
        auto [y, mean, rstd] = at::native_layer_norm(input, scale.sizes(), scale, shift, epsilon);
        context->save_for_backward({input, scale, shift, mean, rstd});
        keep_places(context, reinterpret_cast<Tape*>(tape), scale_index, shift_index);
        return y;
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &scale = saved[1], &shift = saved[2], &mean = saved[3],
                         &rstd = saved[4];
        const at::Tensor g = gradients[0].contiguous();
        auto [scale_gradient, shift_gradient] = layer_norm_parameter_gradients(g, x, mean, rstd);
        file_gradients(context, scale_gradient, shift_gradient);
        const auto dx = std::get<0>(at::native_layer_norm_backward(
            g, x, scale.sizes(), mean, rstd, scale, shift, {true, false, false}));
        return {dx, {}, {}, {}, {}, {}, {}, {}};
    }
};

struct RecordedScale : torch::autograd::Function<RecordedScale> {
    static Variable forward(AutogradContext* context, const Variable& normalised,
                            const Variable& scale, const Variable& /*anchor*/, int64_t tape,
                            int64_t scale_index) {
        context->save_for_backward({normalised, scale});
        keep_places(context, reinterpret_cast<Tape*>(tape), scale_index, -1);
        return normalised * scale;
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const at::Tensor product = gradients[0] * saved[0];
        const int64_t features = product.size(-1);
        file_gradients(context, product.reshape({product.size(0), -1, features}).sum(1), {});
        return {gradients[0] * saved[1], {}, {}, {}, {}};
    }
};

}  // namespace

at::Tensor recorded_group_norm(const at::Tensor& x, const NormParameters& parameters,
                               int64_t groups, double epsilon, Tape& tape) {
    return RecordedGroupNorm::apply(x, parameters.scale, parameters.shift, tape.anchor(), groups,
                                    epsilon, reinterpret_cast<int64_t>(&tape),
                                    static_cast<int64_t>(parameters.scale_index),
                                    static_cast<int64_t>(parameters.shift_index));
}

at::Tensor recorded_layer_norm(const at::Tensor& x, const NormParameters& parameters,
                               double epsilon, Tape& tape) {
    return RecordedLayerNorm::apply(x, parameters.scale, parameters.shift, tape.anchor(), epsilon,
                                    reinterpret_cast<int64_t>(&tape),
                                    static_cast<int64_t>(parameters.scale_index),
                                    static_cast<int64_t>(parameters.shift_index));
}

at::Tensor recorded_scale(const at::Tensor& normalised, const NormParameters& parameters,
                          Tape& tape) {
    return RecordedScale::apply(normalised, parameters.scale, tape.anchor(),
                                reinterpret_cast<int64_t>(&tape),
                                static_cast<int64_t>(parameters.scale_index));
}

}  // namespace ward::nn
