#include "ward/he/internal/ring.h"

#include <algorithm>
#include <cmath>

#include "ward/core/error.h"

namespace ward::he::internal {

Ring::Ring(const Parameters& p)
    : log_degree_(p.log_degree),
      data_count_(p.data_primes.size()),
      special_count_(p.special_primes.size()),
      digit_primes_(static_cast<size_t>(p.digit_primes)),
      noise_{std::exp2(p.log_degree)} {
    for (uint64_t q : p.data_primes) tables_.emplace_back(log_degree_, q);
    for (uint64_t q : p.special_primes) tables_.emplace_back(log_degree_, q);
    prepare_drop();
    prepare_key_switch(p);
    if (p.scheme == Scheme::kBfv) prepare_bfv(p);
}

double Ring::log2_data(size_t limbs) const {
    double bits = 0;
    for (size_t i = 0; i < limbs; ++i) bits += std::log2(static_cast<double>(modulus(i).value()));
    return bits;
}

std::vector<Modulus> Ring::moduli(size_t first, size_t last) const {
    std::vector<Modulus> found;
    for (size_t i = first; i < last; ++i) found.push_back(modulus(i));
    return found;
}

void Ring::prepare_key_switch(const Parameters& p) {
    const auto key_moduli = moduli(0, data_count_ + special_count_);
    double largest = 0;
    for (size_t digit = 0; digit < digit_count(data_count_); ++digit) {
        std::vector<BaseConversion> by_length;
        double bits = 0;
        const size_t first = digit_first(digit);
        for (size_t last = first + 1; last <= digit_last(digit, data_count_); ++last) {
            by_length.emplace_back(moduli(first, last), key_moduli);
            bits += std::log2(static_cast<double>(modulus(last - 1).value()));
        }
        digit_conversions_.push_back(std::move(by_length));
        largest = std::max(largest, bits);
    }
    const auto specials = moduli(data_count_, data_count_ + special_count_);
    special_to_data_.emplace(specials, moduli(0, data_count_));
    for (uint64_t q : p.special_primes) largest -= std::log2(static_cast<double>(q));
    digit_ratio_ = std::exp2(largest);
    for (size_t i = 0; i < data_count_; ++i) {
        const Modulus& q = modulus(i);
        const uint64_t product = product_mod(specials, q);
        special_products_.push_back(q.factor(product));
        inverse_special_products_.push_back(q.factor(q.invert(product)));
    }
}

void Ring::prepare_drop() {
    for (size_t last = 0; last < data_count_; ++last) {
        std::vector<Factor> inverses;
        for (size_t i = 0; i < last; ++i) {
            const Modulus& q = modulus(i);
            inverses.push_back(q.factor(q.invert(q.reduce64(modulus(last).value()))));
        }
        inverse_primes_.push_back(std::move(inverses));
        drop_conversions_.emplace_back(moduli(last, last + 1), moduli(0, last));
    }
}

void Ring::prepare_bfv(const Parameters& p) {
    plaintext_table_.emplace(log_degree_, p.plaintext_modulus);
    // t N Q and two bits more, for t/Q times a product and its sign.
    const double needed = log2_data(data_count_) + log_degree_ +
                          std::log2(static_cast<double>(p.plaintext_modulus)) + 2;
    std::vector<uint64_t> taken = p.data_primes;
    taken.insert(taken.end(), p.special_primes.begin(), p.special_primes.end());
    const int count = static_cast<int>(needed / (kMaxModulusBits - 0.01)) + 1;
    for (uint64_t q : ntt_primes(log_degree_, kMaxModulusBits, count, taken)) {
        tables_.emplace_back(log_degree_, q);
    }
    const auto auxiliaries = moduli(auxiliary(0), tables_.size());
    auxiliary_to_data_.emplace(auxiliaries, moduli(0, data_count_));
    for (size_t limbs = 1; limbs <= data_count_; ++limbs) {
        const auto data = moduli(0, limbs);
        data_to_auxiliary_.emplace_back(data, auxiliaries);
        std::vector<Factor> inverses;
        for (const Modulus& q : auxiliaries) {
            inverses.push_back(q.factor(q.invert(product_mod(data, q))));
        }
        inverse_data_products_.push_back(std::move(inverses));
        const Modulus& t = plaintext_table_->modulus();
        data_to_plaintext_.emplace_back(data, std::vector<Modulus>{t});
        plaintext_products_.push_back(product_mod(data, t));
        negated_plaintext_inverses_.push_back(
            t.factor(t.negate(t.invert(plaintext_products_.back()))));
    }
}

std::vector<uint32_t> automorphism_places(int log_degree, uint64_t element) {
    const size_t n = size_t{1} << log_degree;
    std::vector<uint32_t> reversed(n, 0), places(n);
    for (size_t i = 1; i < n; ++i) {
        reversed[i] = reversed[i / 2] / 2 + static_cast<uint32_t>(i % 2 * (n / 2));
    }
    for (size_t i = 0; i < n; ++i) {
        const uint64_t exponent = (2 * uint64_t{reversed[i]} + 1) * element % (2 * n);
        places[i] = reversed[(exponent - 1) / 2];
    }
    return places;
}

}  // namespace ward::he::internal
