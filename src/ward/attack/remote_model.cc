#include "ward/attack/remote_model.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>
#include <random>
#include <thread>
#include <unordered_map>
#include <utility>

#include "ward/attack/internal/http_client.h"
#include "ward/attack/internal/inference_json.h"
#include "ward/attack/membership_answer.h"
#include "ward/attack/query_ledger.h"
#include "ward/core/error.h"
#include "ward/core/log.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kFirstWaitSeconds = 0.5;  // doubles with every try

void check(const RemoteOptions& options) {
    const auto fail = [](const std::string& message) { throw Error(ErrorCode::kUsage, message); };
    if (options.model.empty()) fail("a remote target needs the name of its model");
    const bool odd = std::any_of(options.model.begin(), options.model.end(), [](unsigned char c) {
        return !(std::isalnum(c) || c == '-' || c == '_' || c == '.');
    });
    if (odd) fail("a model's name has letters, digits and ._- only, got " + options.model);
    if (options.batch < 1 || options.retries < 0 || !(options.rate >= 0) || options.classes < 0 ||
        !(options.timeout_seconds > 0 && options.timeout_seconds < 1e6) ||
        !(options.longest_wait_seconds >= 0)) {
        fail(
            "a remote target needs a batch and a time-out > 0, and retries, a rate and waits >= 0");
    }
}

// The kind goes first, so that a ledger can be read without the service.
std::vector<float> with_kind(Answer kind, const std::vector<float>& row) {
    std::vector<float> result = {static_cast<float>(static_cast<int>(kind))};
    result.insert(result.end(), row.begin(), row.end());
    return result;
}

// Whether some scores of a row can be probabilities: none outside [0, 1], and no more than 1 in sum
// but by the rounding of each to its digits, a tenth at the coarsest.
bool may_be_shares(const std::vector<double>& scores) {
    constexpr double kSumSlack = 1e-3, kCoarsest = 0.1;
    const double half = std::min(kCoarsest, rounding_step(torch::tensor(scores, at::kDouble))) / 2;
    double least = 0;
    for (const double score : scores) {
        if (!(score >= 0 && score <= 1)) return false;
        least += std::max(0.0, score - half);
    }
    return least <= 1 + kSumSlack;
}

}  // namespace

struct RemoteModel::State {
    explicit State(RemoteOptions given)
        : options((check(given), std::move(given))),
          client(options),
          jitter(std::random_device{}()) {}

    RemoteOptions options;
    HttpClient client;
    InferenceMetadata metadata;
    std::unique_ptr<QueryLedger> ledger;
    std::unordered_map<std::string, std::vector<float>> memory;  // without a ledger
    RemoteCounts counts;
    std::optional<Answer> kind;
    int64_t classes = 0, largest = 0;
    Clock::time_point next_allowed = Clock::now();
    std::mt19937_64 jitter;

    std::string path() const {
        std::string result = "/v2/models/" + options.model;
        if (!options.version.empty()) result += "/versions/" + options.version;
        return result;
    }

    const std::vector<float>* known(const std::string& digest) const {
        if (ledger) return ledger->find(digest);
        const auto found = memory.find(digest);
        return found == memory.end() ? nullptr : &found->second;
    }

    void wait(double seconds) {
        if (!(seconds > 0)) return;
        counts.waited_seconds += seconds;
        std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    }

    void keep_to_the_rate(int64_t queries) {
        if (options.rate <= 0) return;
        const auto now = Clock::now();
        wait(std::chrono::duration<double>(next_allowed - now).count());
        next_allowed = std::max(now, next_allowed) +
                       std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
                           static_cast<double>(queries) / options.rate));
    }

    [[noreturn]] void refuse(const HttpReply& reply) const {
        const std::string place = options.url + ", model " + options.model;
        const std::string said = service_message(reply.body);
        const std::string status = std::to_string(reply.status) + (said.empty() ? "" : ": " + said);
        if (reply.status == 401 || reply.status == 403) {
            throw Error(ErrorCode::kRefused, "the service refuses us (" + status + ") at " + place,
                        "check the token or the client certificate, and that you may attack it");
        }
        if (reply.status == 404) {
            throw Error(ErrorCode::kNotFound,
                        "the service has no such model (" + status + ") at " + place,
                        "check the url and --remote-model");
        }
        throw Error(ErrorCode::kInvalid,
                    "the service does not take the query (" + status + ") at " + place,
                    "check the shape of the inputs and the names of tensors");
    }

    // One request until there is an answer, or no more tries.
    std::string post(const std::string& body, const std::vector<std::string>& digests) {
        const auto queries = static_cast<int64_t>(digests.size());
        for (int64_t attempt = 0;; ++attempt) {
            keep_to_the_rate(queries);
            if (ledger) ledger->sent(digests);
            ++counts.requests;
            std::string why;
            double pause = kFirstWaitSeconds * std::pow(2.0, static_cast<double>(attempt)) *
                           (0.75 + 0.5 * std::uniform_real_distribution<>()(jitter));
            bool served = false;
            try {
                const HttpReply reply = client.post(path() + "/infer", body);
                if (reply.status >= 200 && reply.status < 300) return reply.body;
                if (ledger) ledger->not_served(digests);
                const bool busy =
                    reply.status == 429 || (reply.status >= 502 && reply.status <= 504);
                if (!busy) refuse(reply);
                why = std::to_string(reply.status) + " " + service_message(reply.body);
                if (reply.retry_after_seconds >= 0) pause = reply.retry_after_seconds;
            } catch (const HttpFailure& failure) {
                why = failure.reason;
                served = failure.maybe_served;
                if (ledger && !served) ledger->not_served(digests);
                if (failure.hopeless) attempt = options.retries;
            }
            if (attempt >= options.retries) {
                throw Error(ErrorCode::kIo,
                            "no answer from " + options.url + " after " +
                                std::to_string(attempt + 1) + " tries: " + why,
                            "answers so far are in the ledger, where there is one; go on later");
            }
            if (pause > options.longest_wait_seconds) {
                throw Error(ErrorCode::kRefused,
                            "the service asks to wait " +
                                std::to_string(static_cast<int64_t>(std::ceil(pause))) +
                                " seconds (" + why + ")",
                            "go on later with the same ledger, or allow more with --longest-wait");
            }
            if (served) counts.unknown += queries;
            ++counts.retries;
            log_debug("try again in " + std::to_string(pause) + " s: " + why);
            wait(pause);
        }
    }

    void ask(const at::Tensor& x, const std::vector<std::string>& digests) {
        const at::Tensor rows = x.contiguous();
        for (const std::string& digest : digests)
            if (ledger && ledger->lost(digest)) ++counts.unknown;
        const std::string text =
            post(write_inference_request(metadata.input, metadata.output, rows.sizes().vec(),
                                         rows.data_ptr<float>(), rows.numel()),
                 digests);
        const InferenceAnswer answer =
            read_inference_answer(text, metadata.output, static_cast<int64_t>(digests.size()));
        std::vector<std::vector<float>> stored;
        for (const std::vector<float>& row : answer.rows) {
            stored.push_back(with_kind(answer.kind, row));
            dense(stored.back());  // refuses answers of another kind before they are kept
        }
        counts.sent += static_cast<int64_t>(digests.size());
        if (ledger) {
            ledger->answered(digests, stored);
            return;
        }
        for (size_t i = 0; i < digests.size(); ++i) memory[digests[i]] = stored[i];
    }

    void require_classes(int64_t found) {
        if (classes == 0) classes = found;
        if (found == classes) return;
        throw Error(ErrorCode::kInvalid,
                    "the service answers with " + std::to_string(found) + " classes, before with " +
                        std::to_string(classes),
                    "another model may have taken its place; begin a new ledger");
    }

    // {classes}
    at::Tensor dense(const std::vector<float>& stored) {
        const auto answer = static_cast<Answer>(std::clamp(static_cast<int>(stored[0]), 0, 2));
        if (!kind) kind = answer;
        if (*kind != answer || stored.size() < 2) {
            throw Error(ErrorCode::kInvalid, "the service changed between scores and labels",
                        "another model may have taken its place; begin a new ledger");
        }
        const std::vector<float> row(stored.begin() + 1, stored.end());
        if (answer == Answer::kScores) {
            require_classes(static_cast<int64_t>(row.size()));
            return torch::tensor(row);
        }
        if (options.classes < 2) {
            throw Error(ErrorCode::kUsage, "the service does not tell how many classes there are",
                        "give their number with --classes");
        }
        require_classes(options.classes);
        return answer == Answer::kLabels ? from_label(row) : from_ranked(row);
    }

    void require_class(int64_t index) const {
        if (index < classes) return;
        throw Error(
            ErrorCode::kInvalid,
            "the service says class " + std::to_string(index) + " of " + std::to_string(classes),
            "give the right number of --classes");
    }

    at::Tensor from_label(const std::vector<float>& row) const {
        require_class(static_cast<int64_t>(row[0]));
        at::Tensor result = torch::zeros({classes});
        result[static_cast<int64_t>(row[0])] = 1;
        return result;
    }

    at::Tensor from_ranked(const std::vector<float>& row) {
        std::vector<double> scores;
        for (size_t i = 0; i + 1 < row.size(); i += 2) {
            require_class(static_cast<int64_t>(row[i]));
            scores.push_back(row[i + 1]);
        }
        const auto told = static_cast<int64_t>(scores.size());
        largest = largest > 0 ? std::min(largest, told) : told;
        const double least = *std::min_element(scores.begin(), scores.end());
        const double left = 1 - std::accumulate(scores.begin(), scores.end(), 0.0);
        const auto others = static_cast<double>(std::max<int64_t>(1, classes - told));
        const double rest =
            may_be_shares(scores) ? std::clamp(left / others, 0.0, least) : least - 1;
        at::Tensor result = torch::full({classes}, rest, at::kFloat);
        for (size_t i = 0; i + 1 < row.size(); i += 2)
            result[static_cast<int64_t>(row[i])] = row[i + 1];
        return result;
    }
};

RemoteModel::RemoteModel(RemoteOptions options)
    : state_(std::make_unique<State>(std::move(options))) {
    State& s = *state_;
    s.metadata = {s.options.input, s.options.output, {}};
    try {
        const HttpReply reply = s.client.get(s.path());
        if (reply.status == 401 || reply.status == 403 || reply.status == 404) {
            // Some services give no metadata; then the first query decides.
            if (reply.status != 404) s.refuse(reply);
        } else if (reply.status == 200) {
            s.metadata = read_metadata(reply.body, s.options.input, s.options.output);
        }
    } catch (const HttpFailure& failure) {
        if (s.options.ledger.empty()) {
            throw Error(ErrorCode::kIo, "no answer from " + s.options.url + ": " + failure.reason,
                        "check the url, or that the service runs");
        }
        // A ledger may hold all that is asked.
        log_warning("no answer from " + s.options.url + ": " + failure.reason);
    }
    if (!s.options.ledger.empty()) {
        s.ledger = std::make_unique<QueryLedger>(
            s.options.ledger, s.options.url + " " + s.options.model + " " + s.options.version);
        if (s.ledger->cut_tail())
            log_warning("the last line of " + s.options.ledger + " was torn off, and is left out");
    }
}

RemoteModel::~RemoteModel() = default;

at::Tensor RemoteModel::operator()(const at::Tensor& x) {
    State& s = *state_;
    const at::Tensor rows = x.detach().to(at::kCPU, at::kFloat).contiguous();
    const int64_t n = rows.size(0), size = n == 0 ? 0 : rows.numel() / n;
    std::vector<int64_t> shape(rows.sizes().begin() + 1, rows.sizes().end());
    std::vector<std::string> digests;
    std::vector<int64_t> open;
    std::unordered_map<std::string, int64_t> asked;
    for (int64_t i = 0; i < n; ++i) {
        digests.push_back(query_digest(shape, rows.data_ptr<float>() + i * size, size));
        if (s.known(digests.back()) == nullptr && asked.emplace(digests.back(), i).second) {
            open.push_back(i);
        } else {
            ++s.counts.from_ledger;
        }
    }
    for (size_t first = 0; first < open.size(); first += static_cast<size_t>(s.options.batch)) {
        const size_t count = std::min(open.size() - first, static_cast<size_t>(s.options.batch));
        const std::vector<int64_t> part(open.begin() + static_cast<int64_t>(first),
                                        open.begin() + static_cast<int64_t>(first + count));
        std::vector<std::string> part_digests;
        for (const int64_t i : part) part_digests.push_back(digests[static_cast<size_t>(i)]);
        s.ask(rows.index_select(0, torch::tensor(part, at::kLong)), part_digests);
    }
    std::vector<at::Tensor> answers;
    for (const std::string& digest : digests) answers.push_back(s.dense(*s.known(digest)));
    return at::stack(answers);
}

at::Tensor RemoteModel::lost(const at::Tensor& x) const {
    const at::Tensor rows = x.detach().to(at::kCPU, at::kFloat).contiguous();
    const int64_t n = rows.size(0), size = n == 0 ? 0 : rows.numel() / n;
    const std::vector<int64_t> shape(rows.sizes().begin() + 1, rows.sizes().end());
    at::Tensor result = torch::zeros({n}, at::kBool);
    if (!state_->ledger || state_->ledger->lost_count() == 0) return result;
    for (int64_t i = 0; i < n; ++i) {
        result.data_ptr<bool>()[i] =
            state_->ledger->lost(query_digest(shape, rows.data_ptr<float>() + i * size, size));
    }
    return result;
}

Answer RemoteModel::answer_kind() const { return state_->kind.value_or(Answer::kScores); }
int64_t RemoteModel::largest() const { return state_->largest; }
const std::vector<int64_t>& RemoteModel::input_shape() const {
    return state_->metadata.input_shape;
}
const RemoteCounts& RemoteModel::counts() const { return state_->counts; }

}  // namespace ward::attack
