#include "ward/nn/script_module.h"

#include <array>
#include <fstream>
#include <utility>

#include "ward/core/error.h"
#include "ward/nn/torch.h"
//
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

namespace ward::nn {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// The cause in a message of LibTorch: it stands behind the trace of the script, where there is one.
std::string cause(const std::string& text) {
    const std::string mark = "RuntimeError: ";
    const size_t place = text.rfind(mark);
    return first_line(place == std::string::npos ? text : text.substr(place + mark.size()));
}

}  // namespace

struct ScriptModule::Implementation {
    torch::jit::Module module;
};

bool looks_like_torchscript(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::array<char, 4> start{};
    return file.read(start.data(), start.size()) && start == std::array<char, 4>{'P', 'K', 3, 4};
}

ScriptModule::ScriptModule(const std::string& path, const std::string& device)
    : implementation_(std::make_unique<Implementation>()), path_(path), device_(device) {
    if (!std::ifstream(path)) {
        throw Error(ErrorCode::kNotFound, "there is no file " + path, "check the path");
    }
    try {
        implementation_->module = torch::jit::load(path, at::Device(at::kCPU));
        implementation_->module.eval();
    } catch (const std::exception& error) {
        throw Error(ErrorCode::kInvalid,
                    path + " is not a TorchScript file: " + cause(error.what()),
                    "export it with torch.jit.script or torch.jit.trace, then save()");
    }
    try {
        implementation_->module.to(at::Device(device));
    } catch (const c10::Error&) {
        throw Error(ErrorCode::kUnsupported,
                    "device " + device + " is not available in this LibTorch",
                    "use --device cpu, or a LibTorch built for that device");
    }
}

ScriptModule::~ScriptModule() = default;
ScriptModule::ScriptModule(ScriptModule&&) noexcept = default;
ScriptModule& ScriptModule::operator=(ScriptModule&&) noexcept = default;

at::Tensor ScriptModule::forward(const at::Tensor& x) const {
    at::Tensor output;
    try {
        const c10::IValue result = implementation_->module.forward({x.to(at::Device(device_))});
        if (result.isTensor()) output = result.toTensor();
    } catch (const std::exception& error) {
        throw Error(ErrorCode::kInvalid,
                    path_ + " does not take these inputs: " + cause(error.what()),
                    "give data of the shape that the module was made for");
    }
    if (!output.defined() || output.dim() != 2 || output.size(0) != x.size(0)) {
        throw Error(ErrorCode::kInvalid,
                    path_ + " does not return one row of outputs for each example",
                    "wrap the module so that it returns a tensor {batch, outputs}");
    }
    return output.to(at::kFloat);
}

}  // namespace ward::nn
