// Functions over many orders of magnitude: 1/x, square root, inverse square root, logarithm,
// exponential, and tanh.
//
// x is brought to a short interval first. A ladder of comparisons with public ends (powers of 2 or
// 4) tells which rung x stands on; as ring elements 0 and 1 its outcomes give, by sums alone, any
// public value of that rung: a factor that brings x to u in [1, 2) or [1, 4), and a factor and an
// offset for the result g(u), where g is a table of pieces (spline.h).
//
// Cost per value and party, for R rungs: 15.3 R bytes (semi-honest) and what the table takes, some
// 350 bytes; 23 rounds. Security: comparisons, conversions, products and tables are those of
// bits.h, multiply.h and spline.h, verified with Security::kMalicious. Thread safety: as Party.
//
// Results are within `relative` of the right one plus 2^-15, for inputs in the range; beyond it,
// they are what the nearest rung gives, without a bound.
//
//   function        inputs               relative error
//   reciprocal      2^-10 <= x < 2^14    2^-12
//   square_root     0 <= x < 2^14        2^-12, and 2^-7 absolute below 2^-13
//   inverse_root    2^-13 <= x < 2^14    2^-12
//   logarithm       2^-10 <= x < 2^14    2^-12 (absolute: 2^-12)
//   exponential     -11 <= x < 9         2^-12
//   hyperbolic_tan  |x| < 2^14           0 (absolute: 2^-14)
#pragma once

#include <functional>
#include <vector>

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"
#include "ward/mpc/spline.h"

namespace ward::mpc {

class Ladder {
  public:
    // From `from` on, to the next rung: u = x scale + shift, and the result is factor g(u) +
    // offset. The first rung is also for all that lies below.
    struct Rung {
        double from = 0;
        double scale = 0;
        double shift = 0;
        double factor = 0;
        double offset = 0;
    };
    // Fraction bits of scales and factors; x has 16 and `compared_bits` in all.
    struct Bits {
        int scale = 16;
        int factor = 16;
        int compared = 32;
    };

    // Throws Error kUsage for less than two rungs or ends that do not ascend.
    Ladder(Spline table, std::vector<Rung> rungs, Bits bits);

    const Spline& table() const { return table_; }
    const Bits& bits() const { return bits_; }
    // One rung as ring elements.
    struct Encoded {
        Ring from, scale, shift, factor, offset;
    };
    const std::vector<Encoded>& rungs() const { return rungs_; }
    bool scales() const { return scales_; }    // whether u needs a product
    bool factors() const { return factors_; }  // and the result

    // The rung of x in the clear.
    const Encoded& rung_of(Ring x) const;

  private:
    Spline table_;
    std::vector<Encoded> rungs_;
    Bits bits_;
    bool scales_ = false, factors_ = false;
};

SharedMatrix evaluate(Party& party, const Ladder& ladder, const SharedMatrix& x);

const Ladder& reciprocal_ladder();
const Ladder& square_root_ladder();
const Ladder& inverse_root_ladder();
const Ladder& logarithm_ladder();
const Ladder& exponential_ladder();
const Spline& hyperbolic_tan_spline();

SharedMatrix reciprocal(Party& party, const SharedMatrix& x);
SharedMatrix square_root(Party& party, const SharedMatrix& x);
SharedMatrix inverse_root(Party& party, const SharedMatrix& x);
SharedMatrix logarithm(Party& party, const SharedMatrix& x);
SharedMatrix exponential(Party& party, const SharedMatrix& x);
SharedMatrix hyperbolic_tan(Party& party, const SharedMatrix& x);

// x / y for y as in `reciprocal` and |x| < 2^13, quotients below 2^14.
SharedMatrix divide(Party& party, const SharedMatrix& x, const SharedMatrix& y);

}  // namespace ward::mpc
