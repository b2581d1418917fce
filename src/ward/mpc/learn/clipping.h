// Clipping of each example's gradient on shares, with a bound that holds in the arithmetic used.
//
// The gradient of example i by the weights of a dense layer is a_i^T d_i, its input times the
// derivative by its output, so the squared norm of the whole gradient is the sum over layers of
// (|a_i|^2 + 1) |d_i|^2 (1 for the bias; Goodfellow, arXiv 1510.01799), and nothing of the size of
// the weights is ever computed for one example. Of a convolution, whose weights meet many patches,
// the gradient of each example is computed, as the product of its patches and errors, and its norm
// taken. Then d_i is multiplied by c_i = min(1, C / norm), for all positions of the example alike.
//
// What is guaranteed: the summand of every example, as the integers that are really added, has a
// Euclidean norm of at most C, whatever the data and the weights are.
//   - inputs of hidden layers are capped to [-8, 8] and d to [-1, 1] by comparisons of all 64 bits
//     (for the gradient only), inputs of the network by their owner, so that nothing wraps around;
//   - norms are rounded upwards: every division is by dither less than one unit off (1.5 with
//     Security::kMalicious), and one unit is added (two); C / norm is made 2^-9 smaller for the
//     error of the table, and one unit (two) for its last division;
//   - gradients G of convolutions are divided before they are squared. With s for the norm of what
//     that changes, |g|^2 <= (1 + e)(|G|^2 + s^2 / e); e is 2^-7, which makes C 2^-8 smaller;
//   - c_i d_i is not divided: its 32 fraction bits go into the product with a_i, so no rounding
//     comes behind the bound.
// With kMalicious all of this is verified, and it holds whatever weights a corrupt party's noise
// has led to: relations that are proved are identities of integers, so they hold, and nobody ends
// the job, for numbers of any size.
//
// Thread safety: value types.
#pragma once

#include <vector>

#include "ward/mpc/clip.h"
#include "ward/mpc/functions.h"
#include "ward/mpc/learn/shape.h"
#include "ward/mpc/learn/twin.h"

namespace ward::mpc {

inline constexpr double kMaxPrivateInput = 8;
inline constexpr double kMaxPrivateError = 1;

class Clipping {
  public:
    // A layer with weights. Its patches are sums of 2^box_bits (shape.h), and so are its gradients.
    struct Layer {
        bool is_dense = true;
        size_t positions = 1, patch = 0, outputs = 0;
        int box_bits = 0;

        double input_bound() const { return kMaxPrivateInput * static_cast<double>(1 << box_bits); }
    };

    // Throws Error kUnsupported unless all steps with weights are dense or convolutions, and for
    // networks whose gradients could wrap; kUsage unless 1/16 <= norm <= 256.
    Clipping(const std::vector<NetworkStep>& steps, double norm,
             Security security = Security::kSemiHonest);

    double norm() const { return norm_; }
    const std::vector<Layer>& layers() const { return layers_; }
    const Ladder& ladder() const { return ladder_; }
    // Fraction bits taken away from |d|^2, which has 32, and from the sum over layers.
    int error_shift() const { return error_shift_; }
    int sum_shift() const { return sum_shift_; }
    // Fraction bits of the gradients of convolutions, and what is added to the squared norm for
    // their rounding (16 fraction bits).
    int gradient_bits() const { return gradient_bits_; }
    Ring rounding() const { return rounding_; }
    // What a division may be off by, rounded up, in units of the last place.
    Ring division_units() const { return division_units_; }

  private:
    void check_widths() const;
    void choose_bits();

    double norm_;
    std::vector<Layer> layers_;
    int gradient_bits_ = 16;
    Ring rounding_ = 0;
    int error_shift_ = 0;
    int sum_shift_ = 0;
    Ring division_units_ = 1;
    Ladder ladder_;
};

// c of every example (examples x 1, 16 fraction bits), from the capped inputs and errors of all
// layers: a row for each example, or for each of its positions.
SharedMatrix clip_factors(Party& party, const Clipping& clipping,
                          const std::vector<SharedMatrix>& inputs,
                          const std::vector<SharedMatrix>& errors);
RingMatrix clip_factors(Twin& twin, const Clipping& clipping, const std::vector<RingMatrix>& inputs,
                        const std::vector<RingMatrix>& errors);

}  // namespace ward::mpc
