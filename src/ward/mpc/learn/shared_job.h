// Training and scoring on data that owners have shared beforehand (share_file.h): the parties hold
// parts of everything and know no row, not even their own.
//
// Alignment of several owners' tables, on shares (join.h):
//   kVertical    other columns about partly the same people: rows that all owners have. Their
//                number is opened, nothing else; labels come from the one owner that has them
//   kHorizontal  the same columns about other people: all rows, or with `distinct` one per person
//   kRows        as kVertical, but the owners have found their common people beforehand (psi.h) and
//                shared the rows of these alone, in one order. Local but for a check against
//                mistakes: of each owner but the first, one bit is opened, [a sum of all
//                differences between its hashes of identifiers and the first owner's is 0]. The
//                coefficients follow from the owners' ids; rows that differ by mistake go through
//                with probability 2^-57. An owner that tries out variants
//                of its own file can pass with other hashes; it gains nothing that sharing the
//                first owner's hashes, whose people it must know for that, would not give
//
// Thread safety and security: as party.h, join.h and network.h.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ward/mpc/learn/checkpoint_resume.h"
#include "ward/mpc/learn/job.h"
#include "ward/mpc/share_file.h"

namespace ward::mpc {

enum class Alignment { kNone, kVertical, kHorizontal, kRows };

// Matrices of one owner's file. Tags (rows x 1, or x 0) are random numbers that the owner has
// drawn, one per row, and keeps a list of: where rows come out in an order that nobody knows,
// scores go out with the shared tags of their rows. Who has the list finds its rows by them; to
// others they say nothing, but that rows of two results on the same shares are the same. Places
// (rows x 1, or x 0) are the rows' numbers in the owner's table: rows with identifiers are shared
// in the order of their hashes, which makes joins faster, and results that keep an order have that
// of the table again. Files of earlier versions have no tags or no places.
inline constexpr size_t kKeysAt = 0, kFeaturesAt = 1, kLabelsAt = 2, kTagsAt = 3, kPlacesAt = 4;

// What all files of a job together are, from their headers alone.
struct SharedDataShape {
    size_t rows = 0;  // an upper bound with kVertical and `distinct`
    size_t features = 0;
    size_t label_columns = 0;
};

// Checks that the files fit one another, before anything is computed. Throws Error kInvalid that
// names both files (`paths` in the same order) and what does not fit.
SharedDataShape require_fit(std::span<const ShareFile> files, std::span<const std::string> paths,
                            Alignment alignment, bool distinct, bool labels);

// The owners, by their places, whose tags the rows will have: with kVertical and kRows a column for
// each that has drawn some, otherwise one column (the place of the first owner) when all have.
// Throws Error kInvalid when rows would come out in an order that nobody knows (kVertical,
// `distinct`) and without tags.
std::vector<size_t> require_tags(std::span<const ShareFile> files,
                                 std::span<const std::string> paths, Alignment alignment,
                                 bool distinct);

// For training the order of rows is of no interest, nor whose they are. For results on each row the
// tags of the owners that require_tags names are kept, and with kNone and kHorizontal without
// `distinct` the order of each owner's table is restored (sort.h, rows_at_places).
enum class Tags { kDropped, kKept };

struct AlignedData {
    SharedMatrix features;
    SharedMatrix labels;  // no columns without labels
    SharedMatrix tags;    // no columns when dropped
};
// Throws Error kInvalid with kRows when rows of two owners are of different people, as inner_join
// and distinct_rows do, and for an owner whose places are no order.
AlignedData align(Party& party, std::span<const ShareFile> files, Alignment alignment,
                  bool distinct, Tags tags = Tags::kDropped);

// The trained network as shares. job.examples must be the number of rows. With `resumption`, which
// must have been restored before `align` was called, the state is saved in between and training
// goes on from the last one that all three have (checkpoint_resume.h).
struct SharedNetwork {
    NetworkShape shape;
    std::vector<SharedMatrix> weights;
    std::vector<SharedMatrix> biases;
};
SharedNetwork train_shared(Party& party, const TrainingJob& job, const NetworkWeights& initial,
                           const AlignedData& data,
                           const std::function<void(int)>& after_epoch = nullptr,
                           Resumption* resumption = nullptr);

// Rows x outputs: scores before softmax or sigmoid.
SharedMatrix score_shared(Party& party, const SharedNetwork& network, const SharedMatrix& features);

}  // namespace ward::mpc
