#include "ward/nn/script_module.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "ward/core/error.h"
#include "ward/nn/torch.h"
//
#include <torch/csrc/jit/api/module.h>

namespace ward::nn {
namespace {

std::string scratch(const std::string& name) {
    return (std::filesystem::temp_directory_path() /
            ("ward_script_" + name + "_" + std::to_string(::getpid())))
        .string();
}

// y = x W^T + 1 with a weight of its own.
std::string linear_script() {
    torch::jit::Module module("linear");
    module.register_parameter("weight", torch::arange(6).view({2, 3}).to(at::kFloat), false);
    module.define("def forward(self, x):\n    return torch.matmul(x, self.weight.t()) + 1\n");
    const std::string path = scratch("linear.pt");
    module.save(path);
    return path;
}

TEST(ScriptModule, ComputesWhatTheScriptSaysAndPassesGradientsOn) {
    const std::string path = linear_script();
    EXPECT_TRUE(looks_like_torchscript(path));
    const ScriptModule module(path);
    const at::Tensor x = torch::ones({4, 3}).set_requires_grad(true);
    const at::Tensor y = module.forward(x);
    EXPECT_TRUE(at::equal(y, torch::tensor({{4.0f, 13.0f}}).expand({4, 2})));
    y.select(1, 1).sum().backward();
    EXPECT_TRUE(at::equal(x.grad(), torch::tensor({{3.0f, 4.0f, 5.0f}}).expand({4, 3})));
    std::filesystem::remove(path);
}

TEST(ScriptModule, SaysWhatDoesNotFit) {
    const std::string path = linear_script();
    const ScriptModule module(path);
    try {
        (void)module.forward(torch::ones({4, 5}));
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kInvalid);
        EXPECT_NE(error.message().find("does not take these inputs"), std::string::npos);
        EXPECT_EQ(error.message().find('\n'), std::string::npos);
    }
    EXPECT_THROW(ScriptModule(path, "cuda:7"), Error);
    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
    EXPECT_THROW(ScriptModule{path}, Error);
    EXPECT_THROW(ScriptModule{scratch("missing")}, Error);
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace ward::nn
