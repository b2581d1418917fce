#include "ward/attack/table_rules.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "ward/attack/internal/row_kernels.h"
#include "ward/attack/internal/rows.h"
#include "ward/core/error.h"
#include "ward/data/encode.h"
#include "ward/nn/torch.h"

namespace ward::attack {
namespace {

constexpr float kSame = 1e-6f;       // two encodings of one value
constexpr double kNormSlack = 1e-5;  // relative, as evasion allows

double decode(const TableRules::Grid& grid, double encoded) {
    double unit = grid.symmetric ? (encoded + 1) / 2 : encoded;
    unit = std::clamp(unit, 0.0, 1.0);
    const double range = grid.high - grid.low;
    return grid.low + (grid.log1p ? std::expm1(unit * std::log1p(range)) : unit * range);
}

float encode(const TableRules::Grid& grid, double value) {
    const double range = grid.high - grid.low, at = std::clamp(value, grid.low, grid.high);
    double unit =
        grid.log1p ? std::log1p(at - grid.low) / std::log1p(range) : (at - grid.low) / range;
    if (grid.symmetric) unit = 2 * unit - 1;
    return static_cast<float>(unit);
}

int64_t category_of(const TableRules::Group& group, const float* row) {
    return std::max_element(row + group.first, row + group.first + group.count) -
           (row + group.first);
}

// Whether an input may go from `from` to `to`.
bool may_move(const EvasionOptions& options, int64_t input, float from, float to) {
    if (options.moves.empty() || from == to) return true;
    const Move move = options.moves[static_cast<size_t>(input)];
    return move == Move::kFree || (move == Move::kUp && to > from) ||
           (move == Move::kDown && to < from);
}

void settle_categories(const TableRules& rules, const float* origin, float* row) {
    std::vector<std::pair<float, size_t>> wishes;  // how far a column has gone to another category
    std::vector<int64_t> wanted(rules.groups.size());
    for (size_t g = 0; g < rules.groups.size(); ++g) {
        const TableRules::Group& group = rules.groups[g];
        const int64_t before = category_of(group, origin);
        wanted[g] = category_of(group, row);
        if (wanted[g] != before && !group.fixed)
            wishes.emplace_back(row[group.first + wanted[g]] - row[group.first + before], g);
        std::copy_n(origin + group.first, group.count, row + group.first);
    }
    std::stable_sort(wishes.begin(), wishes.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    for (size_t k = 0; k < wishes.size(); ++k) {
        if (static_cast<int64_t>(k) >= rules.changes) break;
        const TableRules::Group& group = rules.groups[wishes[k].second];
        std::fill_n(row + group.first, group.count, 0.0f);
        row[group.first + wanted[wishes[k].second]] = 1;
    }
}

void settle_numbers(const TableRules& rules, const float* origin, const EvasionOptions& options,
                    bool inwards, float* row) {
    for (const TableRules::Grid& grid : rules.grids) {
        const int64_t j = grid.input;
        if (row[j] == origin[j]) continue;
        float to = inwards ? grid.towards(row[j], origin[j]) : grid.nearest(row[j]);
        const bool linf = options.norm == Norm::kLinf;
        const bool outside =
            linf && std::abs(to - origin[j]) > options.epsilon * (1 + kNormSlack) + kSame;
        if (outside || !may_move(options, j, origin[j], to)) to = grid.towards(row[j], origin[j]);
        row[j] = may_move(options, j, origin[j], to) ? to : origin[j];
    }
    for (const TableRules::Flag& flag : rules.flags) {
        row[flag.input] = origin[flag.input];
        if (origin[flag.input] > 0.5f) row[flag.number] = origin[flag.number];
    }
}

bool is_row(const TableRules& rules, const float* origin, const float* row) {
    int64_t changed = 0;
    for (const TableRules::Group& group : rules.groups) {
        const int64_t now = category_of(group, row);
        const bool same = now == category_of(group, origin);
        for (int64_t k = 0; k < group.count; ++k)
            if (std::abs(row[group.first + k] - (k == now ? 1.0f : 0.0f)) > kSame) return false;
        if (!same && group.fixed) return false;
        changed += same ? 0 : 1;
    }
    for (const TableRules::Grid& grid : rules.grids) {
        const float value = row[grid.input];
        if (value != origin[grid.input] && std::abs(value - grid.nearest(value)) > kSame)
            return false;
    }
    for (const TableRules::Flag& flag : rules.flags) {
        if (row[flag.input] != origin[flag.input]) return false;
        if (origin[flag.input] > 0.5f && row[flag.number] != origin[flag.number]) return false;
    }
    return changed <= rules.changes;
}

}  // namespace

float TableRules::Grid::nearest(float encoded) const {
    return encode(*this, std::round(decode(*this, encoded)));
}

float TableRules::Grid::towards(float encoded, float origin) const {
    const double at = decode(*this, encoded), from = decode(*this, origin);
    // A value on the grid is no further from it for the rounding of its encoding.
    constexpr double kWhole = 1e-4;
    const double to = at > from ? std::floor(at + kWhole) : std::ceil(at - kWhole);
    return std::abs(to - from) < 0.5 || (to - from) * (at - from) <= 0 ? origin : encode(*this, to);
}

TableRules table_rules(const std::string& preprocessing_json) {
    const auto record = nlohmann::json::parse(preprocessing_json, nullptr, false);
    TableRules rules;
    if (!record.is_object() || record.value("kind", "") != "table") return rules;
    const data::Schema schema = data::schema_of(preprocessing_json);
    if (!schema.example_shape.empty()) return rules;  // pictures written as a table
    for (const data::ColumnSchema& column : schema.columns) {
        const bool may_miss = column.missing == data::MissingPolicy::kCategory;
        if (column.kind == data::ColumnKind::kCategorical) {
            const int64_t other = column.unknown == data::UnknownPolicy::kCategory ? 1 : 0;
            const int64_t count = std::ssize(column.categories) + (may_miss ? 1 : 0) + other;
            rules.groups.push_back({rules.inputs, count, false});
            rules.inputs += count;
        } else if (column.kind == data::ColumnKind::kNumeric ||
                   column.kind == data::ColumnKind::kInteger) {
            if (column.kind == data::ColumnKind::kInteger) {
                rules.grids.push_back({rules.inputs, *column.min, *column.max,
                                       column.scaling == data::Scaling::kLog1p,
                                       schema.symmetric_range});
            }
            if (may_miss) rules.flags.push_back({rules.inputs, rules.inputs + 1});
            rules.inputs += may_miss ? 2 : 1;
        }
    }
    return rules;
}

at::Tensor of_numbers(const TableRules& rules, const at::Tensor& difference) {
    at::Tensor numbers = difference.clone();
    for (const TableRules::Group& group : rules.groups)
        numbers.narrow(1, group.first, group.count).zero_();
    return numbers;
}

at::Tensor nearest_rows(const TableRules& rules, const at::Tensor& x, const at::Tensor& found,
                        const EvasionOptions& options) {
    const at::Tensor origin = x.contiguous();
    at::Tensor rows = found.contiguous().clone();
    const int64_t n = row_size(rows);
    const double reach = options.epsilon * (1 + kNormSlack) + kSame;
    for_rows(rows.size(0), [&](int64_t i) {
        settle_categories(rules, row(origin, i), row(rows, i));
        std::vector<float> before(row(rows, i), row(rows, i) + n);
        settle_numbers(rules, row(origin, i), options, false, row(rows, i));
        if (options.norm == Norm::kLinf) return;
        std::vector<float> d(static_cast<size_t>(n));
        for (int64_t j = 0; j < n; ++j)
            d[static_cast<size_t>(j)] = row(rows, i)[j] - row(origin, i)[j];
        for (const TableRules::Group& group : rules.groups)
            std::fill_n(d.begin() + group.first, group.count, 0.0f);
        if (row_norm(d.data(), n, options.norm) <= reach) return;
        std::copy(before.begin(), before.end(), row(rows, i));
        settle_numbers(rules, row(origin, i), options, true, row(rows, i));
    });
    return rows;
}

at::Tensor are_rows(const TableRules& rules, const at::Tensor& x, const at::Tensor& found) {
    const at::Tensor origin = x.contiguous(), rows = found.contiguous();
    at::Tensor result = torch::empty({rows.size(0)}, at::kBool);
    for (int64_t i = 0; i < rows.size(0); ++i)
        result.data_ptr<bool>()[i] = is_row(rules, row(origin, i), row(rows, i));
    return result;
}

}  // namespace ward::attack
