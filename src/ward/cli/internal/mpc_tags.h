// Tags of rows: random numbers that an owner draws when it shares its rows, and keeps in a file of
// its own. Scores come out with the tags of their rows (mpc/learn/shared_job.h), so that whoever
// has the file, and nobody else, knows whose they are.
//
// The file is CSV with a header: the identifier and the tag, "t" and 16 hexadecimal digits, row by
// row. The tag's column is named as in the scores of an alignment that puts owners side by side.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ward::cli {

struct RowTags {
    std::string id_column;
    std::string tag_column;
    std::vector<std::string> ids;
    std::vector<uint64_t> tags;  // one per id
};

// "row of bank-a", and of owners under one another.
std::string tag_column_of(const std::string& owner);
inline constexpr const char* kJointTagColumn = "row";

std::string tag_text(uint64_t tag);

// Throws Error kIo.
void write_row_tags(const RowTags& tags, const std::string& path);
// Throws Error kInvalid for a file of another form or with a tag twice.
RowTags read_row_tags(const std::string& path);

}  // namespace ward::cli
