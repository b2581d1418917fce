// Everything precomputed for one set of parameters.
//
// Primes are numbered: data primes first, then special ones, then the auxiliary ones of BFV
// products. "limbs" is how many data primes a ciphertext still has. Immutable.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "ward/he/internal/base_conversion.h"
#include "ward/he/internal/noise.h"
#include "ward/he/internal/ntt.h"
#include "ward/he/internal/poly.h"
#include "ward/he/params.h"

namespace ward::he::internal {

class Ring {
  public:
    explicit Ring(const Parameters& parameters);

    int log_degree() const { return log_degree_; }
    size_t degree() const { return size_t{1} << log_degree_; }
    size_t data_count() const { return data_count_; }
    size_t special_count() const { return special_count_; }
    size_t auxiliary_count() const { return tables_.size() - data_count_ - special_count_; }
    size_t special(size_t i) const { return data_count_ + i; }
    size_t auxiliary(size_t i) const { return data_count_ + special_count_ + i; }

    const NttTable& table(size_t prime) const { return tables_[prime]; }
    const Modulus& modulus(size_t prime) const { return tables_[prime].modulus(); }
    const Noise& noise() const { return noise_; }
    double log2_data(size_t limbs) const;  // log2 of the product of the first primes

    // Key switching. Digit d holds the data primes [first, last).
    size_t digit_count(size_t limbs) const { return (limbs + digit_primes_ - 1) / digit_primes_; }
    size_t digit_first(size_t digit) const { return digit * digit_primes_; }
    size_t digit_last(size_t digit, size_t limbs) const {
        return std::min(limbs, (digit + 1) * digit_primes_);
    }
    // Digit to all data and special primes, by their number.
    const BaseConversion& digit_conversion(size_t digit, size_t limbs) const {
        return digit_conversions_[digit][digit_last(digit, limbs) - digit_first(digit) - 1];
    }
    const BaseConversion& special_to_data() const { return *special_to_data_; }
    Factor special_product(size_t prime) const { return special_products_[prime]; }
    Factor inverse_special_product(size_t prime) const { return inverse_special_products_[prime]; }
    // Largest digit over the product of the special primes.
    double digit_ratio() const { return digit_ratio_; }

    // Dropping data prime `last`: its inverse modulo `prime`, and its residues there.
    Factor inverse_prime(size_t last, size_t prime) const { return inverse_primes_[last][prime]; }
    const BaseConversion& drop_conversion(size_t last) const { return drop_conversions_[last]; }

    // BFV: between the first data primes and the auxiliary primes.
    const BaseConversion& data_to_auxiliary(size_t limbs) const {
        return data_to_auxiliary_[limbs - 1];
    }
    const BaseConversion& auxiliary_to_data() const { return *auxiliary_to_data_; }
    Factor inverse_data_product(size_t limbs, size_t auxiliary_index) const {
        return inverse_data_products_[limbs - 1][auxiliary_index];
    }
    const BaseConversion& data_to_plaintext(size_t limbs) const {
        return data_to_plaintext_[limbs - 1];
    }
    // Product of the first data primes modulo t, and its negated inverse there.
    uint64_t data_product_mod_plaintext(size_t limbs) const {
        return plaintext_products_[limbs - 1];
    }
    Factor negated_inverse_data_product_mod_plaintext(size_t limbs) const {
        return negated_plaintext_inverses_[limbs - 1];
    }
    // The ring modulo the plaintext modulus, for batching.
    const NttTable& plaintext_table() const { return *plaintext_table_; }

  private:
    void prepare_key_switch(const Parameters& parameters);
    void prepare_drop();
    void prepare_bfv(const Parameters& parameters);
    std::vector<Modulus> moduli(size_t first, size_t last) const;

    int log_degree_;
    size_t data_count_, special_count_, digit_primes_;
    std::vector<NttTable> tables_;
    Noise noise_;
    std::vector<std::vector<BaseConversion>> digit_conversions_;
    std::optional<BaseConversion> special_to_data_;
    std::vector<Factor> special_products_, inverse_special_products_;
    double digit_ratio_ = 0;
    std::vector<std::vector<Factor>> inverse_primes_;
    std::vector<BaseConversion> drop_conversions_;
    std::vector<BaseConversion> data_to_auxiliary_;
    std::optional<BaseConversion> auxiliary_to_data_;
    std::vector<std::vector<Factor>> inverse_data_products_;
    std::vector<BaseConversion> data_to_plaintext_;
    std::vector<uint64_t> plaintext_products_;
    std::vector<Factor> negated_plaintext_inverses_;
    std::optional<NttTable> plaintext_table_;
};

// X -> X^element on values in the order of the transform: out[i] = in[places[i]].
std::vector<uint32_t> automorphism_places(int log_degree, uint64_t element);

}  // namespace ward::he::internal
