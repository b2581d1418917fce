#include "ward/attack/roc.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>

#include "ward/core/error.h"

namespace ward::attack {
namespace {

// Examples in descending order of their scores; equal scores form one group.
struct Order {
    std::vector<int64_t> group_of;  // by example
    std::vector<double> score;      // by group
};

Order order_of(std::span<const double> scores) {
    std::vector<int64_t> rows(scores.size());
    std::iota(rows.begin(), rows.end(), 0);
    std::sort(rows.begin(), rows.end(),
              [&](int64_t a, int64_t b) { return scores[a] > scores[b]; });
    Order order;
    order.group_of.resize(scores.size());
    for (const int64_t row : rows) {
        if (order.score.empty() || order.score.back() != scores[row])
            order.score.push_back(scores[row]);
        order.group_of[row] = static_cast<int64_t>(order.score.size()) - 1;
    }
    return order;
}

// Members and others in each group.
struct Counts {
    std::vector<int64_t> members, others;
    int64_t all_members = 0, all_others = 0;
};

double area(const Counts& counts) {
    double pairs = 0, members_above = 0;
    for (size_t g = 0; g < counts.members.size(); ++g) {
        const auto members = static_cast<double>(counts.members[g]);
        pairs += static_cast<double>(counts.others[g]) * (members_above + 0.5 * members);
        members_above += members;
    }
    return pairs /
           (static_cast<double>(counts.all_members) * static_cast<double>(counts.all_others));
}

// The last group to call members, and how many that makes; group -1: none.
struct Cut {
    int64_t group = -1, members = 0, others = 0;
};

Cut best_cut(const Counts& counts, double rate) {
    const double most = rate * static_cast<double>(counts.all_others) + 1e-9;
    Cut cut;
    int64_t members = 0, others = 0;
    for (size_t g = 0; g < counts.members.size(); ++g) {
        members += counts.members[g];
        others += counts.others[g];
        if (static_cast<double>(others) > most) break;
        cut = {static_cast<int64_t>(g), members, others};
    }
    return cut;
}

// Members among the groups before `others_above` others are exceeded (at most), or none of those
// that score as the last of them (at least).
int64_t members_above(const Counts& counts, int64_t others_above, bool at_least) {
    int64_t members = 0, others = 0;
    for (size_t g = 0; g < counts.members.size(); ++g) {
        if (at_least && others + counts.others[g] >= others_above) return members;
        members += counts.members[g];
        others += counts.others[g];
        if (!at_least && others > others_above) return members;
    }
    return members;
}

// Least k with P[Binomial(n, p) <= k] >= confidence.
int64_t binomial_quantile(int64_t n, double p, double confidence) {
    int64_t low = 0, high = n;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (1 - binomial_tail(n, middle + 1, p) >= confidence) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

// Others above the true threshold are between `fewest` and `most`, so the threshold lies below the
// score of the `fewest`-th and not below that of the (most + 1)-th.
Interval at_true_rate(const Counts& counts, double rate) {
    constexpr double kEach = 1 - 0.05 / 4;
    const int64_t n = counts.all_others;
    const int64_t most = binomial_quantile(n, rate, kEach);
    const int64_t fewest = n - binomial_quantile(n, 1 - rate, kEach);
    const int64_t upper = most >= n ? counts.all_members : members_above(counts, most, false);
    const int64_t lower = fewest <= 0 ? 0 : members_above(counts, fewest, true);
    return {clopper_pearson_lower(lower, counts.all_members, kEach),
            clopper_pearson_upper(upper, counts.all_members, kEach)};
}

Interval widened(Interval interval, double share, int64_t trials) {
    constexpr int64_t kFew = 100;
    constexpr double kZ = 1.959963984540054;
    if (trials >= kFew) return interval;
    const auto n = static_cast<double>(trials);
    const double middle = (share + kZ * kZ / (2 * n)) / (1 + kZ * kZ / n);
    const double half =
        kZ / (1 + kZ * kZ / n) * std::sqrt(share * (1 - share) / n + kZ * kZ / (4 * n * n));
    return {std::max(0.0, std::min(interval.low, middle - half)),
            std::min(1.0, std::max(interval.high, middle + half))};
}

double share(int64_t part, int64_t whole) {
    return static_cast<double>(part) / static_cast<double>(whole);
}

Interval percentiles(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const auto at = [&](double q) {
        return values[static_cast<size_t>(
            std::llround(q * static_cast<double>(values.size() - 1)))];
    };
    return {at(0.025), at(0.975)};
}

// Members are drawn from the members, others from the others, each with replacement.
class Bootstrap {
  public:
    Bootstrap(const Order& order, std::span<const uint8_t> member, uint64_t seed)
        : groups_(order.score.size()), generator_(seed) {
        for (size_t i = 0; i < member.size(); ++i)
            (member[i] ? members_ : others_).push_back(order.group_of[i]);
    }

    Counts draw() {
        Counts counts{std::vector<int64_t>(groups_), std::vector<int64_t>(groups_),
                      static_cast<int64_t>(members_.size()), static_cast<int64_t>(others_.size())};
        draw_from(members_, counts.members);
        draw_from(others_, counts.others);
        return counts;
    }

  private:
    void draw_from(const std::vector<int64_t>& from, std::vector<int64_t>& into) {
        for (size_t i = 0; i < from.size(); ++i) {
            ++into[from[generator_() % from.size()]];  // a bias below 2^-30 for all sizes met
        }
    }

    size_t groups_;
    std::mt19937_64 generator_;
    std::vector<int64_t> members_, others_;
};

void check(std::span<const double> scores, std::span<const uint8_t> member,
           const RocOptions& options) {
    if (scores.size() != member.size()) {
        throw Error(ErrorCode::kInvalid, "there are " + std::to_string(scores.size()) +
                                             " scores for " + std::to_string(member.size()) +
                                             " examples");
    }
    for (size_t i = 0; i < scores.size(); ++i) {
        if (std::isnan(scores[i])) {
            throw Error(ErrorCode::kInvalid,
                        "the score of example " + std::to_string(i) + " is not a number");
        }
    }
    const auto members = std::count_if(member.begin(), member.end(), [](uint8_t m) { return m; });
    if (members == 0 || members == static_cast<int64_t>(member.size())) {
        throw Error(ErrorCode::kInvalid,
                    "a membership attack is measured on members and others, got " +
                        std::to_string(members) + " members among " +
                        std::to_string(member.size()) + " examples");
    }
    for (const double rate : options.false_positive_rates) {
        if (!(rate > 0 && rate <= 1)) {
            throw Error(ErrorCode::kUsage,
                        "false-positive rates must be in (0, 1], got " + std::to_string(rate));
        }
    }
}

void add_points(const Counts& counts, Roc& roc) {
    roc.points.push_back({0, 0});
    int64_t members = 0, others = 0;
    for (size_t g = 0; g < counts.members.size(); ++g) {
        members += counts.members[g];
        others += counts.others[g];
        const RocPoint point{share(others, counts.all_others), share(members, counts.all_members)};
        roc.points.push_back(point);
        roc.best_accuracy = std::max(
            roc.best_accuracy, 0.5 * (1 + point.true_positive_rate - point.false_positive_rate));
    }
}

}  // namespace

SureRate sure_rate(const Roc& roc, const RateAt& at, double one_sided_confidence) {
    const auto count = [](double rate, int64_t whole) {
        return static_cast<int64_t>(std::llround(rate * static_cast<double>(whole)));
    };
    return {clopper_pearson_lower(count(at.true_positive_rate, roc.members), roc.members,
                                  one_sided_confidence),
            clopper_pearson_upper(count(at.false_positive_rate, roc.others), roc.others,
                                  one_sided_confidence)};
}

Roc roc_of(std::span<const double> scores, std::span<const uint8_t> member,
           const RocOptions& options) {
    check(scores, member, options);
    const Order order = order_of(scores);
    Counts counts{std::vector<int64_t>(order.score.size()),
                  std::vector<int64_t>(order.score.size())};
    for (size_t i = 0; i < member.size(); ++i) {
        ++(member[i] ? counts.members : counts.others)[order.group_of[i]];
        ++(member[i] ? counts.all_members : counts.all_others);
    }
    Roc roc;
    roc.members = counts.all_members;
    roc.others = counts.all_others;
    roc.auc = area(counts);
    roc.best_accuracy = 0.5;
    add_points(counts, roc);
    for (const double rate : options.false_positive_rates) {
        const Cut cut = best_cut(counts, rate);
        RateAt at;
        at.wanted = rate;
        at.false_positive_rate = share(cut.others, counts.all_others);
        at.true_positive_rate = share(cut.members, counts.all_members);
        at.threshold = cut.group < 0 ? INFINITY : order.score[cut.group];
        at.exact = clopper_pearson(cut.members, counts.all_members);
        at.at_wanted = at_true_rate(counts, rate);
        at.resolved = rate * static_cast<double>(counts.all_others) >= 1;
        roc.at.push_back(at);
    }
    std::vector<double> areas;
    std::vector<std::vector<double>> rates(options.false_positive_rates.size());
    Bootstrap bootstrap(order, member, options.seed);
    for (int64_t i = 0; i < std::max<int64_t>(1, options.resamples); ++i) {
        const Counts drawn = bootstrap.draw();
        areas.push_back(area(drawn));
        for (size_t r = 0; r < rates.size(); ++r) {
            const Cut cut = best_cut(drawn, options.false_positive_rates[r]);
            rates[r].push_back(share(cut.members, drawn.all_members));
        }
    }
    roc.auc_interval = widened(percentiles(std::move(areas)), roc.auc,
                               std::min(counts.all_members, counts.all_others));
    for (size_t r = 0; r < rates.size(); ++r) roc.at[r].bootstrap = percentiles(rates[r]);
    return roc;
}

}  // namespace ward::attack
