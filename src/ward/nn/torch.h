// The only door to LibTorch. Private to the modules of level 4 and above: never included by an
// installed header. The first include lets clang accept LibTorch 1.13 in C++20; keep it first.
#pragma once

#include <ATen/core/ivalue.h>
//
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/generated/variable_factories.h>
#include <torch/types.h>
