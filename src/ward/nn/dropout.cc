#include "ward/nn/dropout.h"

#include "ward/nn/torch.h"

namespace ward::nn {

struct DropoutMasks::Source {
    at::Generator generator;
};

namespace {

thread_local DropoutMasks::Source* current = nullptr;

}  // namespace

DropoutMasks::DropoutMasks(uint64_t seed)
    : source_(std::make_unique<Source>(Source{at::detail::createCPUGenerator(seed)})),
      outer_(current) {
    current = source_.get();
}

DropoutMasks::~DropoutMasks() { current = outer_; }

at::Tensor drop(const at::Tensor& x, double probability) {
    if (current == nullptr || !x.device().is_cpu()) return at::dropout(x, probability, true);
    at::Tensor mask;
    {
        at::NoGradGuard no_grad;
        mask = at::empty_like(x, at::MemoryFormat::Contiguous)
                   .bernoulli_(1 - probability, current->generator)
                   .div_(1 - probability);
    }
    return x * mask;
}

}  // namespace ward::nn
