// Functions of one shared number by pieces of degree two.
//
// A table of K pieces is made in the clear for a given function and interval, with pieces as wide
// as one error bound allows. Evaluation compares x with all K-1 inner ends at once, selects the
// differences of neighbouring pieces, and divides once: 10 rounds and about 19 K bytes per value
// and party, whatever the function. Outside of the interval the value at the nearer end is kept.
//
// Error: `max_error` of the table (measured on a grid when it is made) plus one unit 2^-16 for the
// division and 2^-29 x^2 (2^-28 x^2 with values of 2 and more) for the rounding of the
// coefficients. Inputs must be below 2^14 in magnitude, results below 4.
//
// The arithmetic is exact modulo 2^64 up to the last division, so a table evaluated in the clear
// (`evaluate_raw`) gives the very integer that the parties divide: the plain-text twin uses it.
#pragma once

#include <functional>
#include <vector>

#include "ward/mpc/party.h"
#include "ward/mpc/shared.h"

namespace ward::mpc {

struct SplineOptions {
    double low = 0;
    double high = 1;
    size_t pieces = 32;  // between the two constant ones
    // Beyond `low` and `high`: the values there, unless told otherwise.
    double below = 0;
    double above = 0;
    bool keep_ends = true;  // false: `below` and `above` are used
};

class Spline {
  public:
    // Fraction bits of the terms: 60, and 59 for values of 2 and more, so that what is divided at
    // the end stays below 2^61 (truncate.h). x has 16 of them, x^2 32, coefficients the rest.
    int term_bits() const { return term_bits_; }
    // What is taken away at the end.
    int shift() const { return term_bits_ - 16; }

    // Throws Error kUsage for an empty interval or no pieces, kInvalid for values of 4 and more.
    Spline(const std::function<double(double)>& function, const SplineOptions& options);

    double max_error() const { return max_error_; }
    // The largest magnitude of a value.
    double max_value() const { return max_value_; }
    // Piece k applies from ends()[k - 1] (ring elements) on; there is one more piece than ends.
    const std::vector<Ring>& ends() const { return ends_; }
    struct Piece {
        Ring constant;
        Ring linear;
        Ring square;
    };
    const std::vector<Piece>& pieces() const { return pieces_; }

    // With term_bits() fraction bits.
    Ring evaluate_raw(Ring x) const;

  private:
    void fit(const std::function<double(double)>& function, const SplineOptions& options);

    std::vector<Ring> ends_;
    std::vector<Piece> pieces_;
    double max_error_ = 0;
    double max_value_ = 0;
    int term_bits_ = 60;
};

SharedMatrix evaluate(Party& party, const Spline& spline, const SharedMatrix& x);

// 1 / (1 + exp(-x)) for all |x| < 2^14; error below 2^-15.
const Spline& sigmoid_spline();
// exp(-x) for x >= 0 (1 below 0); error below 2^-15.
const Spline& exp_negative_spline();
// 1 / x for 1 <= x <= 64; error below 2^-15.
const Spline& reciprocal_spline();

}  // namespace ward::mpc
