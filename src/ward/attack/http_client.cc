#include "ward/attack/internal/http_client.h"

#ifdef WARD_HTTP
#define CPPHTTPLIB_OPENSSL_SUPPORT
#include <httplib.h>
#endif

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>

#include "ward/core/error.h"

namespace ward::attack {

#ifdef WARD_HTTP
namespace {

constexpr size_t kMostBytes = size_t{256} << 20;

using Clock = std::chrono::steady_clock;

struct Url {
    std::string scheme, host, authority, prefix;
};

Url parse_url(const std::string& text) {
    const auto fail = [&] {
        throw Error(ErrorCode::kUsage, "a url must be http(s)://host[:port][/prefix], got " + text);
    };
    Url url;
    const size_t colon = text.find("://");
    if (colon == std::string::npos) fail();
    url.scheme = text.substr(0, colon);
    if (url.scheme != "http" && url.scheme != "https") fail();
    const size_t slash = text.find('/', colon + 3);
    url.authority = text.substr(colon + 3, slash == std::string::npos ? slash : slash - colon - 3);
    if (slash != std::string::npos) url.prefix = text.substr(slash);
    while (url.prefix.ends_with('/')) url.prefix.pop_back();
    const bool odd = std::any_of(text.begin(), text.end(), [](unsigned char c) {
        return c <= ' ' || c >= 127 || c == '@' || c == '?' || c == '#';
    });
    if (url.authority.empty() || odd) fail();
    url.host = url.authority.front() == '[' ? url.authority.substr(0, url.authority.find(']') + 1)
                                            : url.authority.substr(0, url.authority.find(':'));
    if (url.host.empty()) fail();
    return url;
}

bool is_this_machine(const std::string& host) {
    return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

// Seconds, or a date (RFC 9110, 10.2.3).
double retry_after(const std::string& text) {
    if (text.empty()) return -1;
    if (std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= '0' && c <= '9'; }))
        return std::min(1e9, std::strtod(text.c_str(), nullptr));
    std::tm date{};
    if (strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date) == nullptr) return -1;
    return std::max(0.0, std::difftime(timegm(&date), std::time(nullptr)));
}

void require_file(const std::string& path, const char* what) {
    std::error_code ignored;
    if (path.empty() || std::filesystem::is_regular_file(path, ignored)) return;
    throw Error(ErrorCode::kNotFound, std::string("there is no ") + what + " " + path);
}

}  // namespace

struct HttpClient::State {
    Url url;
    std::unique_ptr<httplib::Client> client;
    httplib::Headers headers;
    double timeout_seconds;

    HttpReply send(const std::string& method, const std::string& path, const std::string& body);
};

HttpClient::HttpClient(const RemoteOptions& options) : state_(std::make_unique<State>()) {
    state_->url = parse_url(options.url);
    const Url& url = state_->url;
    state_->timeout_seconds = options.timeout_seconds;
    if (options.token.size() > 0) {
        if (url.scheme != "https" && !is_this_machine(url.host)) {
            throw Error(ErrorCode::kRefused,
                        "the bearer token would travel unencrypted to " + url.host, "use https://");
        }
        const ByteView token = options.token.reveal();
        const bool odd =
            std::any_of(token.begin(), token.end(), [](uint8_t c) { return c <= ' ' || c >= 127; });
        if (odd)
            throw Error(ErrorCode::kInvalid, "the bearer token holds characters that no token has");
        state_->headers.emplace("Authorization",
                                "Bearer " + std::string(token.begin(), token.end()));
    }
    require_file(options.client_certificate, "client certificate");
    require_file(options.client_key, "client key");
    require_file(options.authorities, "file of authorities");
    if (options.client_certificate.empty() != options.client_key.empty())
        throw Error(ErrorCode::kUsage, "mTLS needs both a client certificate and its key");
    const std::string place = url.scheme + "://" + url.authority;
    state_->client =
        std::make_unique<httplib::Client>(place, options.client_certificate, options.client_key);
    if (!state_->client->is_valid()) {
        throw Error(ErrorCode::kInvalid, "cannot connect to " + place + " with these certificates",
                    "the certificate must be PEM and the key its own, without a passphrase");
    }
    const auto microseconds = static_cast<int64_t>(1e6 * options.timeout_seconds);
    const auto seconds = static_cast<time_t>(microseconds / 1000000);
    const auto rest = static_cast<time_t>(microseconds % 1000000);
    state_->client->set_connection_timeout(std::min<time_t>(seconds, 10), seconds < 10 ? rest : 0);
    state_->client->set_read_timeout(seconds, rest);
    state_->client->set_write_timeout(seconds, rest);
    state_->client->set_keep_alive(true);
    state_->client->set_tcp_nodelay(true);
    state_->client->enable_server_certificate_verification(true);
    if (!options.authorities.empty())
        state_->client->set_ca_cert_path(options.authorities, std::string());
}

HttpReply HttpClient::State::send(const std::string& method, const std::string& path,
                                  const std::string& body) {
    httplib::Request request;
    request.method = method;
    request.path = url.prefix + path;
    request.headers = headers;
    request.body = body;
    if (!body.empty()) request.set_header("Content-Type", "application/json");
    const auto deadline = Clock::now() + std::chrono::duration<double>(timeout_seconds);
    HttpReply reply;
    bool late = false, large = false;
    request.content_receiver = [&](const char* data, size_t size, uint64_t, uint64_t) {
        late = Clock::now() > deadline;
        large = reply.body.size() + size > kMostBytes;
        if (late || large) return false;
        reply.body.append(data, size);
        return true;
    };
    httplib::Response response;
    httplib::Error error = httplib::Error::Success;
    if (!client->send(request, response, error)) {
        if (large) throw HttpFailure{"the answer is larger than 256 MiB", true, true};
        using Code = httplib::Error;
        const bool certificates = error == Code::SSLServerVerification ||
                                  error == Code::SSLLoadingCerts || error == Code::SSLConnection;
        const bool unsent = error == Code::Connection || error == Code::ConnectionTimeout ||
                            error == Code::BindIPAddress || certificates;
        std::string reason = "no connection";
        if (late || error == Code::Read) reason = "no answer in time, or the connection broke";
        if (error == Code::Write) reason = "the connection broke";
        if (error == Code::SSLServerVerification) reason = "its certificate is not trusted";
        if (error == Code::SSLLoadingCerts) reason = "certificates cannot be read";
        if (error == Code::SSLConnection) reason = "no TLS connection";
        throw HttpFailure{reason, !unsent, certificates};
    }
    reply.status = response.status;
    reply.retry_after_seconds = retry_after(response.get_header_value("Retry-After"));
    return reply;
}

HttpReply HttpClient::get(const std::string& path) { return state_->send("GET", path, {}); }

HttpReply HttpClient::post(const std::string& path, const std::string& body) {
    return state_->send("POST", path, body);
}

const std::string& HttpClient::origin() const { return state_->url.authority; }

#else

struct HttpClient::State {};

HttpClient::HttpClient(const RemoteOptions&) {
    throw Error(ErrorCode::kUnsupported, "this build of Ward has no HTTP",
                "install libcpp-httplib-dev and build again");
}
HttpReply HttpClient::get(const std::string&) { return {}; }
HttpReply HttpClient::post(const std::string&, const std::string&) { return {}; }
const std::string& HttpClient::origin() const {
    static const std::string kNone;
    return kNone;
}

#endif

HttpClient::~HttpClient() = default;

}  // namespace ward::attack
