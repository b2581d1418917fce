// A TorchScript file as a function from inputs to outputs, to predict with it and to attack it.
//
// Threat: a TorchScript file is a program for LibTorch's interpreter, not data. Load only files
// that you would run; nothing here makes a hostile one harmless. Ward's own model files have no
// code.
//
// Thread safety: none.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

namespace ward::nn {

// True for a ZIP archive, which is what TorchScript files are.
bool looks_like_torchscript(const std::string& path);

class ScriptModule {
  public:
    // Throws Error kNotFound, kInvalid (not a TorchScript file) or kUnsupported (no such device).
    explicit ScriptModule(const std::string& path, const std::string& device = "cpu");
    ~ScriptModule();
    ScriptModule(ScriptModule&&) noexcept;
    ScriptModule& operator=(ScriptModule&&) noexcept;

    // x: {batch, ...} as the module wants it, float32. Returns its only output {batch, outputs},
    // float32; differentiable. Throws Error kInvalid with the module's own words when x does not
    // fit.
    at::Tensor forward(const at::Tensor& x) const;

  private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
    std::string path_, device_;
};

}  // namespace ward::nn
