// HTTP requests to one service, by cpp-httplib.
#pragma once

#include <memory>
#include <string>

#include "ward/attack/remote_model.h"

namespace ward::attack {

struct HttpReply {
    int status = 0;
    std::string body;
    double retry_after_seconds = -1;  // < 0: not told
};

// No reply came.
struct HttpFailure {
    std::string reason;
    bool maybe_served = false;  // the request had left
    bool hopeless = false;      // trying again does not help: certificates
};

class HttpClient {
  public:
    // Throws Error kUsage for a url that is none, kRefused for a token that would travel in the
    // clear, kUnsupported in builds without HTTP.
    explicit HttpClient(const RemoteOptions& options);
    ~HttpClient();

    // `path` below the prefix of the url. Throws HttpFailure.
    HttpReply get(const std::string& path);
    HttpReply post(const std::string& path, const std::string& body);

    const std::string& origin() const;  // scheme://host:port/prefix

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace ward::attack
