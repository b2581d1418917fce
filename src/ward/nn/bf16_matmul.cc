#include "ward/nn/internal/bf16_matmul.h"

#include "ward/nn/torch.h"

#ifdef WARD_HAS_ONEDNN
#include <dnnl.hpp>
#endif

namespace ward::nn {

#ifdef WARD_HAS_ONEDNN
namespace {

at::Tensor product_by_onednn(const at::Tensor& a, const at::Tensor& b) {
    using dnnl::memory;
    static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    const memory::dim n = a.size(0), d = a.size(1), p = b.size(1);
    at::Tensor out = torch::empty({d, p}, a.options().dtype(at::kFloat));
    const memory::desc a_desc({d, n}, memory::data_type::bf16, memory::dims{1, d});
    const memory::desc b_desc({n, p}, memory::data_type::bf16, memory::dims{p, 1});
    const memory::desc out_desc({d, p}, memory::data_type::f32, memory::dims{p, 1});
    const dnnl::matmul::desc operation(a_desc, b_desc, out_desc);
    const dnnl::matmul::primitive_desc description(operation, engine);
    dnnl::stream stream(engine);
    dnnl::matmul(description)
        .execute(stream, {{DNNL_ARG_SRC, memory(a_desc, engine, a.data_ptr())},
                          {DNNL_ARG_WEIGHTS, memory(b_desc, engine, b.data_ptr())},
                          {DNNL_ARG_DST, memory(out_desc, engine, out.data_ptr())}});
    stream.wait();
    return out;
}

}  // namespace
#endif

at::Tensor bf16_product_transposed(const at::Tensor& a, const at::Tensor& b) {
#ifdef WARD_HAS_ONEDNN
    if (a.device().is_cpu()) return product_by_onednn(a, b);
#endif
    return at::mm(a.t().to(at::kFloat), b.to(at::kFloat));
}

}  // namespace ward::nn
