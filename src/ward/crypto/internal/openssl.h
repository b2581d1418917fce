// OpenSSL's objects with owners, and its failures as ward::Error.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>

namespace ward::crypto::internal {

template <auto Free>
struct OpensslFree {
    template <typename T>
    void operator()(T* object) const {
        Free(object);
    }
};
template <typename T, auto Free>
using OpensslPtr = std::unique_ptr<T, OpensslFree<Free>>;

using CipherContext = OpensslPtr<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;
using Cipher = OpensslPtr<EVP_CIPHER, EVP_CIPHER_free>;

// The oldest reason in OpenSSL's queue, which is emptied.
std::string openssl_reason();

// Throws Error kInternal naming `what` unless `ok` is 1.
void require_openssl(int ok, const char* what);

}  // namespace ward::crypto::internal
