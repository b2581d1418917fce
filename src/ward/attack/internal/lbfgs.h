// Limited-memory BFGS (Nocedal and Wright, "Numerical Optimization", algorithms 7.4 and 7.5) with a
// backtracking line search for the Armijo condition; pairs without positive curvature are left out.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <functional>

namespace ward::attack {

class Lbfgs {
  public:
    struct Value {
        double value = 0;
        at::Tensor gradient;  // float64, flat
    };
    using Function = std::function<Value(const at::Tensor& x)>;

    Lbfgs(Function function, at::Tensor start);

    // One iteration; false when no step lowers the value.
    bool step();

    const at::Tensor& x() const { return x_; }  // float64, flat
    double value() const { return at_.value; }

  private:
    at::Tensor direction() const;

    struct Pair {
        at::Tensor move, change;
        double curvature;
    };
    Function function_;
    at::Tensor x_;
    Value at_;
    std::deque<Pair> pairs_;
};

}  // namespace ward::attack
