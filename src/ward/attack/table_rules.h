// What a row of a table can be, after its schema: one category of each column, whole numbers where
// the schema says so, flags of missing values as they are.
//
// A point between two categories is no row: whoever fools a model with it has shown nothing about
// an attacker who hands in rows. Numbers move inside the ball; categories are counted: at most
// `changes` columns may take another one, and they do not count for the ball.
//
// Thread safety: pure functions on a value.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ward/attack/evasion.h"

namespace ward::attack {

struct TableRules {
    struct Group {  // a column of categories: one of these inputs is 1, the others 0
        int64_t first = 0, count = 0;
        bool fixed = false;
    };
    struct Grid {  // a column of whole numbers from low to high
        int64_t input = 0;
        double low = 0, high = 1;
        bool log1p = false, symmetric = false;

        float nearest(float encoded) const;  // on the grid
        float towards(float encoded, float origin) const;
    };
    struct Flag {  // a number that may be missing: where `input` is 1 neither of both moves
        int64_t number = 0, input = 0;
    };

    std::vector<Group> groups;
    std::vector<Grid> grids;
    std::vector<Flag> flags;
    int64_t inputs = 0;
    int64_t changes = 0;

    bool empty() const { return groups.empty() && grids.empty() && flags.empty(); }
};

// Of Dataset::preprocessing_json; none for data that are no table of plain rows. Throws Error
// kInvalid for JSON that `data::encode` did not write.
TableRules table_rules(const std::string& preprocessing_json);

// The rows nearest to `found` that can be, in the ball and as the moves allow: categories that
// changed most first, up to `changes`, numbers rounded to the nearest or, where that leaves the
// ball, towards the original. `x` {n, inputs} are rows themselves.
at::Tensor nearest_rows(const TableRules& rules, const at::Tensor& x, const at::Tensor& found,
                        const EvasionOptions& options);

// {n} bool: rows that can be, with no more changes of categories than allowed.
at::Tensor are_rows(const TableRules& rules, const at::Tensor& x, const at::Tensor& found);

// The difference without categories, which the ball does not count.
at::Tensor of_numbers(const TableRules& rules, const at::Tensor& difference);

}  // namespace ward::attack
