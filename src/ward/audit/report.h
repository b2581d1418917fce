// A report: claims, each with the experiment that supports it, the figures with their uncertainty
// and how to run it again. Plain structs, filled by a builder (training_report.h and, later, those
// of attacks and defences), rendered by render_json.h and render_html.h.
//
// Threat: names and texts may come from untrusted files; renderers escape all of them.
// Thread safety: value types.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ward/audit/gallery.h"
#include "ward/audit/metrics.h"

namespace ward::audit {

// What a claim rests on.
enum class Support {
    kProof,        // holds for all data and attackers, given the stated assumptions
    kMeasurement,  // observed in an experiment, with a confidence interval
    kStatement,    // recorded by who ran it, not checked here
};

// A number with its uncertainty.
struct Figure {
    std::string name;
    double value = 0;
    std::optional<Interval> interval;  // 95 %
    std::string unit;                  // "", "%" (value and interval are then fractions of 1), "s"
    std::string note;
};

struct Evidence {
    std::string id;     // "digits.privacy"; unique in the report
    std::string claim;  // one sentence
    Support support = Support::kMeasurement;
    std::string experiment;  // what was done to support it
    std::vector<Figure> figures;
    std::string rerun;  // command
};

struct Series {
    std::string name;
    std::vector<double> x, y;       // of one length
    bool dashed = false;            // a reference line
    std::vector<double> weights;    // kScatter: sizes of the points, e.g. examples behind each
    std::vector<double> low, high;  // 95 % interval of each y; empty: none is shown
    bool points = false;            // kLine: no line through them
};

struct Chart {
    enum class Kind { kLine, kScatter, kBar };
    Kind kind = Kind::kLine;
    std::string title;
    std::string summary;  // what it shows in one sentence; the text alternative
    std::string x_label, y_label;
    std::vector<std::string> categories;  // kBar: names of the positions; x is then unused
    std::vector<Series> series;
    bool y_percent = false, x_percent = false;  // values are fractions of 1
    bool unit_square = false;                   // both axes from 0 to 1
    // Logarithmic axes, and where they begin (> 0; what lies below is cut off).
    bool x_log = false, y_log = false;
    double x_least = 0, y_least = 0;  // 0: as the values want it
};

// How a figure or an outcome is to be read.
enum class Tone { kNeutral, kGood, kCaution, kBad };

// The last `number_columns` columns are set as numbers.
struct Table {
    std::string title;
    std::vector<std::string> header;
    std::vector<std::vector<std::string>> rows;
    size_t number_columns = 0;
    bool wide = false;        // takes a row of its own
    std::vector<Tone> tones;  // empty, or one per row: its last cell is an outcome
};

struct ConfusionMatrix {
    std::string title;
    std::vector<std::string> class_names;
    std::vector<std::vector<int64_t>> counts;  // [true][predicted]
};

struct Section {
    std::string id;  // "privacy"; unique in its subject
    std::string title;
    std::string lead;  // one paragraph
    std::vector<Evidence> evidence;
    std::vector<Chart> charts;
    std::vector<ConfusionMatrix> confusions;
    std::vector<Table> tables;
    std::vector<Gallery> galleries;
    std::string notes_title;         // "Not covered by the guarantee"
    std::vector<std::string> notes;  // a list under that title
};

// One of the large figures at the top of a subject.
struct Highlight {
    using Tone = audit::Tone;
    std::string label, value, detail;
    Tone tone = Tone::kNeutral;
};

// One model, with or without its non-private twin.
struct Subject {
    std::string id;       // "digits-cnn"; unique in the report
    std::string title;    // "cnn on digits"
    std::string verdict;  // what was trained, the guarantee and its price, for a reader who reads
                          // nothing else
    std::vector<Highlight> highlights;
    std::vector<Section> sections;
};

struct Report {
    std::string title;
    std::string created_utc;
    std::string software;  // "ward 0.1.0"
    std::string summary;
    std::vector<Subject> subjects;
    std::vector<std::string> commands;  // run everything again
    std::vector<std::string> glossary;  // "term: meaning"
};

}  // namespace ward::audit
