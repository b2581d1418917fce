#include "ward/attack/target_service.h"

#ifdef WARD_HTTP
#define CPPHTTPLIB_OPENSSL_SUPPORT
#include <httplib.h>
#endif

#include <atomic>
#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "ward/attack/query_ledger.h"
#include "ward/core/error.h"
#include "ward/nn/torch.h"

namespace ward::attack {

#ifdef WARD_HTTP
namespace {

using nlohmann::json;

constexpr size_t kMostBytes = size_t{256} << 20;

std::string error_body(const std::string& message) { return json{{"error", message}}.dump(); }

struct BadRequest {
    std::string message;
};

// {n, input_shape...} of the one input.
at::Tensor read_inputs(const std::string& body, const std::vector<int64_t>& input_shape) {
    const json request = json::parse(body, nullptr, false);
    if (!request.is_object() || !request.contains("inputs") || !request["inputs"].is_array() ||
        request["inputs"].size() != 1 || !request["inputs"][0].is_object())
        throw BadRequest{"a request has one input"};
    const json& input = request["inputs"][0];
    if (input.value("datatype", "") != "FP32") throw BadRequest{"the datatype is FP32"};
    const json shape = input.value("shape", json()), data = input.value("data", json());
    if (!shape.is_array() || shape.size() != input_shape.size() + 1 || !data.is_array())
        throw BadRequest{"the input has another rank"};
    std::vector<int64_t> sizes;
    int64_t count = 1;
    for (const json& size : shape) {
        if (!size.is_number_integer() || size.get<int64_t>() < 1 || size.get<int64_t>() > (1 << 24))
            throw BadRequest{"a shape holds positive integers"};
        sizes.push_back(size.get<int64_t>());
        count *= sizes.back();
        if (count > (int64_t{1} << 31)) throw BadRequest{"too large"};
    }
    if (!std::equal(input_shape.begin(), input_shape.end(), sizes.begin() + 1))
        throw BadRequest{"the input has another shape"};
    if (static_cast<int64_t>(data.size()) != count) throw BadRequest{"data and shape do not fit"};
    std::vector<float> values;
    values.reserve(data.size());
    for (const json& value : data) {
        if (!value.is_number()) throw BadRequest{"data are numbers"};
        values.push_back(value.get<float>());
    }
    return torch::tensor(values).view(sizes);
}

json output_of(const at::Tensor& outputs, const ServiceOptions& options) {
    const int64_t n = outputs.size(0), classes = outputs.size(1);
    json data = json::array();
    if (options.answer == Answer::kLabels) {
        const at::Tensor labels = outputs.argmax(1);
        for (int64_t i = 0; i < n; ++i) data.push_back(labels[i].item<int64_t>());
        return {{"name", "output"}, {"shape", {n}}, {"datatype", "INT64"}, {"data", data}};
    }
    const at::Tensor shares = as_shares(outputs).contiguous();
    if (options.answer == Answer::kTopK) {
        const int64_t k = std::min(options.top_k, classes);
        const auto [values, places] = shares.topk(k, 1);
        for (int64_t i = 0; i < n; ++i) {
            for (int64_t j = 0; j < k; ++j) {
                data.push_back(std::to_string(values[i][j].item<float>()) + ":" +
                               std::to_string(places[i][j].item<int64_t>()));
            }
        }
        return {{"name", "output"}, {"shape", {n, k}}, {"datatype", "BYTES"}, {"data", data}};
    }
    const float* first = shares.data_ptr<float>();
    for (int64_t i = 0; i < n * classes; ++i) data.push_back(first[i]);
    return {{"name", "output"}, {"shape", {n, classes}}, {"datatype", "FP32"}, {"data", data}};
}

}  // namespace

struct TargetService::State {
    Function model;
    ServiceOptions options;
    httplib::Server server;
    std::thread thread;
    std::mutex one_at_a_time;
    std::atomic<int64_t> requests{0}, queries{0};
    int port = 0;

    bool allowed(const httplib::Request& request) const {
        return options.token.empty() ||
               request.get_header_value("Authorization") == "Bearer " + options.token;
    }

    void metadata(const httplib::Request& request, httplib::Response& response) const {
        if (!allowed(request)) return deny(response);
        json shape = json::array({-1});
        for (const int64_t size : options.input_shape) shape.push_back(size);
        const json all = {
            {"name", options.model},
            {"platform", "ward"},
            {"inputs", json::array({{{"name", "input"}, {"datatype", "FP32"}, {"shape", shape}}})},
            {"outputs",
             json::array({{{"name", "output"}, {"datatype", "FP32"}, {"shape", {-1, -1}}}})}};
        response.set_content(all.dump(), "application/json");
    }

    static void deny(httplib::Response& response) {
        response.status = 401;
        response.set_content(error_body("a bearer token is wanted"), "application/json");
    }

    void infer(const httplib::Request& request, httplib::Response& response) {
        if (!allowed(request)) return deny(response);
        const std::lock_guard lock(one_at_a_time);
        const int64_t number = requests++;
        if (options.instead) {
            if (const auto other = options.instead(number)) {
                std::this_thread::sleep_for(std::chrono::duration<double>(other->delay_seconds));
                for (const auto& [name, value] : other->headers) response.set_header(name, value);
                if (!other->answer_after_all) {
                    response.status = other->status;
                    response.set_content(other->body, "application/json");
                    return;
                }
            }
        }
        try {
            const at::Tensor x = read_inputs(request.body, options.input_shape);
            at::NoGradGuard no_grad;
            const json output = output_of(model(x).to(at::kCPU, at::kFloat), options);
            if (options.on_query) {
                const int64_t size = x.numel() / x.size(0);
                for (int64_t i = 0; i < x.size(0); ++i) {
                    options.on_query(
                        query_digest(options.input_shape, x.data_ptr<float>() + i * size, size));
                }
            }
            queries += x.size(0);
            const json answer = {{"model_name", options.model}, {"outputs", json::array({output})}};
            response.set_content(answer.dump(), "application/json");
        } catch (const BadRequest& bad) {
            response.status = 400;
            response.set_content(error_body(bad.message), "application/json");
        } catch (const std::exception& error) {
            response.status = 500;
            response.set_content(error_body(error.what()), "application/json");
        }
    }
};

TargetService::TargetService(Function model, ServiceOptions options)
    : state_(std::make_unique<State>()) {
    State& s = *state_;
    s.model = std::move(model);
    s.options = std::move(options);
    s.server.set_payload_max_length(kMostBytes);
    s.server.set_tcp_nodelay(true);
    s.server.set_keep_alive_timeout(1);  // a stop waits for idle connections
    s.server.set_keep_alive_max_count(1 << 20);
    const std::string path = "/v2/models/" + s.options.model;
    s.server.Get("/v2/health/(live|ready)",
                 [](const auto&, auto& response) { response.status = 200; });
    s.server.Get(path,
                 [&s](const auto& request, auto& response) { s.metadata(request, response); });
    s.server.Post(path + "/infer",
                  [&s](const auto& request, auto& response) { s.infer(request, response); });
    s.port = s.options.port > 0
                 ? (s.server.bind_to_port(s.options.host, s.options.port) ? s.options.port : -1)
                 : s.server.bind_to_any_port(s.options.host);
    if (s.port <= 0) {
        throw Error(ErrorCode::kIo,
                    "cannot listen at " + s.options.host + ":" + std::to_string(s.options.port),
                    "choose another port, or 0 for any free one");
    }
    s.thread = std::thread([&s] { s.server.listen_after_bind(); });
    while (!s.server.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TargetService::~TargetService() {
    stop();
    wait();
}

void TargetService::stop() { state_->server.stop(); }
void TargetService::wait() {
    if (state_->thread.joinable()) state_->thread.join();
}
int TargetService::port() const { return state_->port; }
int64_t TargetService::queries() const { return state_->queries; }
std::string TargetService::url() const {
    return "http://" + state_->options.host + ":" + std::to_string(state_->port);
}

#else

struct TargetService::State {};
TargetService::TargetService(Function, ServiceOptions) {
    throw Error(ErrorCode::kUnsupported, "this build of Ward has no HTTP",
                "install libcpp-httplib-dev and build again");
}
TargetService::~TargetService() = default;
void TargetService::stop() {}
void TargetService::wait() {}
int TargetService::port() const { return 0; }
int64_t TargetService::queries() const { return 0; }
std::string TargetService::url() const { return {}; }

#endif

}  // namespace ward::attack
