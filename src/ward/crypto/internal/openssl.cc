#include "ward/crypto/internal/openssl.h"

#include <openssl/err.h>

#include "ward/core/error.h"

namespace ward::crypto::internal {

std::string openssl_reason() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return reason == nullptr ? "no reason given" : reason;
}

void require_openssl(int ok, const char* what) {
    if (ok == 1) return;
    throw Error(ErrorCode::kInternal, std::string(what) + " failed: " + openssl_reason());
}

}  // namespace ward::crypto::internal
