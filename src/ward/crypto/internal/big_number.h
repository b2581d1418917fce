// OpenSSL's big numbers with an owner; wiped when they go. Variable time.
#pragma once

#include <openssl/bn.h>

#include <new>
#include <utility>

#include "ward/core/bytes.h"
#include "ward/crypto/internal/openssl.h"

namespace ward::crypto::internal {

class BigNumber {
  public:
    BigNumber() : number_(BN_new()) {
        if (number_ == nullptr) throw std::bad_alloc();
    }
    explicit BigNumber(ByteView big_endian) : BigNumber() {
        require_openssl(BN_bin2bn(big_endian.data(), static_cast<int>(big_endian.size()),
                                  number_.get()) != nullptr,
                        "big number");
    }
    BIGNUM* get() { return number_.get(); }
    const BIGNUM* get() const { return number_.get(); }

    void multiply_add(uint32_t factor, uint32_t addend) {
        require_openssl(BN_mul_word(get(), factor), "big number");
        require_openssl(BN_add_word(get(), addend), "big number");
    }
    uint32_t divide(uint32_t divisor) {  // and returns the remainder
        return static_cast<uint32_t>(BN_div_word(get(), divisor));
    }
    int bits() const { return BN_num_bits(get()); }
    void store(std::span<uint8_t> big_endian) const {
        require_openssl(
            BN_bn2binpad(get(), big_endian.data(), static_cast<int>(big_endian.size())) >= 0,
            "big number");
    }

  private:
    OpensslPtr<BIGNUM, BN_clear_free> number_;
};

}  // namespace ward::crypto::internal
