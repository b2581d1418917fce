#include "ward/crypto/internal/socket_bio.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "ward/core/error.h"

namespace ward::crypto::internal {
namespace {

Socket& socket_of(BIO* bio) { return *static_cast<Socket*>(BIO_get_data(bio)); }

// What OpenSSL wants to know of a call: bytes done, or whether to try again later.
int report(BIO* bio, ssize_t done, std::atomic<uint64_t>& count, int retry_flag) {
    BIO_clear_retry_flags(bio);
    socket_of(bio).last_error = done < 0 ? errno : 0;
    if (done > 0) count += static_cast<uint64_t>(done);
    if (done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        BIO_set_flags(bio, retry_flag | BIO_FLAGS_SHOULD_RETRY);
    }
    return static_cast<int>(done);
}

int bio_write(BIO* bio, const char* data, int size) {
    Socket& socket = socket_of(bio);
    ssize_t done;
    do {
        done = ::send(socket.descriptor(), data, static_cast<size_t>(size), MSG_NOSIGNAL);
    } while (done < 0 && errno == EINTR);
    return report(bio, done, socket.bytes_sent, BIO_FLAGS_WRITE);
}

int bio_read(BIO* bio, char* data, int size) {
    Socket& socket = socket_of(bio);
    ssize_t done;
    do {
        done = ::recv(socket.descriptor(), data, static_cast<size_t>(size), 0);
    } while (done < 0 && errno == EINTR);
    if (done == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return report(bio, done, socket.bytes_received, BIO_FLAGS_READ);
}

long bio_control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* make_method() {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ward socket");
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_ctrl(method, bio_control);
    return method;
}

}  // namespace

Socket::Socket(int descriptor) : descriptor_(descriptor) {
    int type = 0;
    socklen_t size = sizeof(type);
    const bool stream =
        ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
    const int flags = stream ? ::fcntl(descriptor, F_GETFL) : -1;
    if (flags >= 0 && ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0) return;
    const int reason = errno;
    if (descriptor >= 0) ::close(descriptor);
    throw Error(ErrorCode::kUsage, "descriptor " + std::to_string(descriptor) +
                                       " is no stream socket: " + std::strerror(reason));
}

Socket::~Socket() { ::close(descriptor_); }

BIO* new_socket_bio(Socket& socket) {
    static BIO_METHOD* const method = make_method();
    BIO* bio = BIO_new(method);
    if (bio == nullptr) throw Error(ErrorCode::kInternal, "cannot make a BIO");
    BIO_set_data(bio, &socket);
    BIO_set_init(bio, 1);
    return bio;
}

}  // namespace ward::crypto::internal
