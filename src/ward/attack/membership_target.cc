#include "ward/attack/membership_target.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "ward/core/error.h"
#include "ward/core/progress.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

// Members and others by turns, in proportion.
std::vector<int64_t> by_turns(int64_t members, int64_t all) {
    std::vector<int64_t> order;
    int64_t member = 0, other = members;
    while (member < members || other < all) {
        const bool members_turn =
            other == all ||
            (member < members && member * (all - members) <= (other - members) * members);
        order.push_back(members_turn ? member++ : other++);
    }
    return order;
}

// One block of examples with all that is asked about it.
struct Block {
    at::Tensor scores;  // undefined where there are labels only
    std::vector<uint8_t> right;
    std::vector<double> noise, augment, boundary;
};

void append(const std::vector<double>& from, std::vector<double>& to) {
    to.insert(to.end(), from.begin(), from.end());
}

class Questioner {
  public:
    Questioner(const MembershipTarget& target, const data::Dataset& examples,
               const data::Dataset& population, const LabelQuestions& questions,
               const LabelOnlyOptions& options)
        : target_(target),
          questions_(questions),
          options_(options),
          x_(inputs_of(examples)),
          population_(inputs_of(population)),
          y_(torch::tensor(examples.labels, at::kLong)) {
        if (questions.boundary && examples.size() > 0 && population.size() > 0)
            options_.box = box_of(x_, population_);
        if (questions.any() && examples.tokens) {
            throw Error(ErrorCode::kUnsupported, "label-only attacks disturb numbers, not tokens",
                        "use the attacks by scores");
        }
        if (questions.augment && x_.dim() != 4) {
            throw Error(ErrorCode::kUnsupported, "label-augment shifts and rotates images",
                        "use label-noise or label-boundary");
        }
    }

    bool gives_scores() const { return target_.target.access() >= Access::kScores; }
    at::Tensor population_scores() { return target_.target.logits(population_); }
    int64_t label_queries() const { return label_queries_; }

    Block block(const std::vector<int64_t>& rows) {
        const at::Tensor chosen = torch::tensor(rows, at::kLong);
        const at::Tensor x = x_.index_select(0, chosen), y = y_.index_select(0, chosen);
        Block block;
        at::Tensor labels;
        if (gives_scores()) {
            block.scores = target_.target.logits(x);
            labels = block.scores.argmax(1);
        }
        const int64_t before = target_.target.counts().forward;
        if (!gives_scores()) labels = target_.target.labels(x);
        const at::Tensor right = (labels == y).contiguous();
        block.right.assign(right.data_ptr<bool>(), right.data_ptr<bool>() + right.numel());
        LabelOnlyOptions options = options_;
        options.first = asked_;
        if (questions_.noise)
            block.noise = noise_robustness(target_.target, x, y, population_, options);
        if (questions_.augment) block.augment = augmentation_robustness(target_.target, x, y);
        if (questions_.boundary)
            block.boundary = boundary_distances(target_.target, x, y, population_, options);
        label_queries_ += target_.target.counts().forward - before;
        asked_ += static_cast<int64_t>(rows.size());
        return block;
    }

  private:
    at::Tensor inputs_of(const data::Dataset& data) const {
        return target_.inputs ? target_.inputs(data) : tensor_of(data);
    }

    const MembershipTarget& target_;
    const LabelQuestions& questions_;
    LabelOnlyOptions options_;
    at::Tensor x_, population_, y_;
    int64_t asked_ = 0, label_queries_ = 0;
};

// Blocks of rows in the order in which they are asked, until the target fails.
struct Asked {
    std::vector<int64_t> order;  // rows that were answered for
    Block all;
    std::string partial;
};

// A result is about members and others: without both, the target's failure is all there is to say.
bool has_both(const std::vector<int64_t>& rows, int64_t members) {
    const auto is_member = [&](int64_t row) { return row < members; };
    return std::any_of(rows.begin(), rows.end(), is_member) &&
           !std::all_of(rows.begin(), rows.end(), is_member);
}

Asked ask_blocks(Questioner& questioner, const std::vector<int64_t>& order, int64_t members,
                 int64_t block) {
    Asked asked;
    std::vector<at::Tensor> scores;
    Progress progress("ask the target", std::ssize(order), "examples");
    const auto size = static_cast<size_t>(block > 0 ? block : std::ssize(order));
    for (size_t first = 0; first < order.size(); first += size) {
        const std::vector<int64_t> rows(
            order.begin() + static_cast<int64_t>(first),
            order.begin() + static_cast<int64_t>(std::min(order.size(), first + size)));
        Block part;
        try {
            part = questioner.block(rows);
        } catch (const Error& error) {
            if (!has_both(asked.order, members) || error.code() == ErrorCode::kInternal) throw;
            asked.partial = error.message();
            break;
        }
        if (part.scores.defined()) scores.push_back(part.scores);
        asked.order.insert(asked.order.end(), rows.begin(), rows.end());
        asked.all.right.insert(asked.all.right.end(), part.right.begin(), part.right.end());
        append(part.noise, asked.all.noise);
        append(part.augment, asked.all.augment);
        append(part.boundary, asked.all.boundary);
        progress.update(std::ssize(asked.order));
    }
    progress.finish();
    if (!scores.empty()) asked.all.scores = at::cat(scores);
    return asked;
}

// values[i] of the row order[i], by growing rows.
template <typename T>
std::vector<T> in_order(const std::vector<T>& values, const std::vector<size_t>& places) {
    std::vector<T> result;
    if (values.empty()) return result;
    for (const size_t place : places) result.push_back(values[place]);
    return result;
}

std::vector<int64_t> labels_at(const data::Dataset& data, const std::vector<int64_t>& rows) {
    std::vector<int64_t> labels;
    for (const int64_t row : rows) labels.push_back(data.labels[static_cast<size_t>(row)]);
    return labels;
}

}  // namespace

at::Tensor tensor_of(const data::Dataset& data) {
    std::vector<int64_t> shape = data.example_shape;
    shape.insert(shape.begin(), data.size());
    return torch::from_blob(const_cast<float*>(data.inputs.data()), shape).clone();
}

MembershipAnswers ask(const MembershipTarget& target, const data::Dataset& examples,
                      int64_t members, const data::Dataset& population,
                      const LabelQuestions& questions, const LabelOnlyOptions& options) {
    Questioner questioner(target, examples, population, questions, options);
    const int64_t before = target.target.counts().forward;
    at::Tensor others;
    if (questioner.gives_scores() && population.size() > 0) others = questioner.population_scores();
    Asked asked = ask_blocks(questioner, by_turns(members, examples.size()), members, target.block);

    std::vector<size_t> places(asked.order.size());
    std::iota(places.begin(), places.end(), size_t{0});
    std::sort(places.begin(), places.end(),
              [&](size_t a, size_t b) { return asked.order[a] < asked.order[b]; });
    MembershipAnswers answers;
    answers.rows = in_order(asked.order, places);
    answers.right = in_order(asked.all.right, places);
    answers.partial = std::move(asked.partial);
    MembershipSignals& signals = answers.signals;
    if (questions.gap) signals.label_gap.assign(answers.right.begin(), answers.right.end());
    signals.label_noise = in_order(asked.all.noise, places);
    signals.label_augment = in_order(asked.all.augment, places);
    signals.label_boundary = in_order(asked.all.boundary, places);
    answers.queries = target.target.counts().forward - before;
    answers.label_queries = questioner.label_queries();
    if (!asked.all.scores.defined()) return answers;

    const std::vector<int64_t> chosen(places.begin(), places.end());
    at::Tensor scores = asked.all.scores.index_select(0, torch::tensor(chosen, at::kLong));
    if (!others.defined()) others = scores.narrow(0, 0, 0);
    answers.form = form_of(at::cat({scores, others}), target.largest ? target.largest() : 0);
    signals.target = confidence_of(scores, labels_at(examples, answers.rows), answers.form);
    if (others.size(0) > 0)
        signals.target_population = confidence_of(others, population.labels, answers.form).log_p;
    return answers;
}

}  // namespace ward::attack
