#include "ward/audit/render_json.h"

#include <array>
#include <nlohmann/json.hpp>

namespace ward::audit {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<const char*, 3> kSupports = {"proof", "measurement", "statement"};
constexpr std::array<const char*, 3> kChartKinds = {"line", "scatter", "bar"};

template <typename Item, typename Convert>
Json list_json(const std::vector<Item>& items, Convert convert) {
    Json list = Json::array();
    for (const Item& item : items) list.push_back(convert(item));
    return list;
}

Json figure_json(const Figure& figure) {
    Json object = {{"name", figure.name}, {"value", figure.value}};
    if (figure.interval) object["interval_95"] = {figure.interval->low, figure.interval->high};
    if (!figure.unit.empty()) object["unit"] = figure.unit;
    if (!figure.note.empty()) object["note"] = figure.note;
    return object;
}

Json evidence_json(const Evidence& evidence) {
    return {{"id", evidence.id},
            {"claim", evidence.claim},
            {"support", kSupports[static_cast<size_t>(evidence.support)]},
            {"experiment", evidence.experiment},
            {"figures", list_json(evidence.figures, figure_json)},
            {"rerun", evidence.rerun}};
}

Json series_json(const Series& series) {
    return {{"name", series.name}, {"x", series.x}, {"y", series.y}};
}

Json chart_json(const Chart& chart) {
    Json object = {{"kind", kChartKinds[static_cast<size_t>(chart.kind)]},
                   {"title", chart.title},
                   {"summary", chart.summary},
                   {"x_label", chart.x_label},
                   {"y_label", chart.y_label}};
    if (!chart.categories.empty()) object["categories"] = chart.categories;
    object["series"] = list_json(chart.series, series_json);
    return object;
}

Json confusion_json(const ConfusionMatrix& matrix) {
    return {
        {"title", matrix.title}, {"class_names", matrix.class_names}, {"counts", matrix.counts}};
}

Json table_json(const Table& table) {
    return {{"title", table.title}, {"header", table.header}, {"rows", table.rows}};
}

Json section_json(const Section& section) {
    return {{"id", section.id},
            {"title", section.title},
            {"lead", section.lead},
            {"evidence", list_json(section.evidence, evidence_json)},
            {"charts", list_json(section.charts, chart_json)},
            {"confusion_matrices", list_json(section.confusions, confusion_json)},
            {"tables", list_json(section.tables, table_json)},
            {"notes_title", section.notes_title},
            {"notes", section.notes}};
}

Json highlight_json(const Highlight& highlight) {
    return {{"label", highlight.label}, {"value", highlight.value}, {"detail", highlight.detail}};
}

Json subject_json(const Subject& subject) {
    return {{"id", subject.id},
            {"title", subject.title},
            {"verdict", subject.verdict},
            {"highlights", list_json(subject.highlights, highlight_json)},
            {"sections", list_json(subject.sections, section_json)}};
}

}  // namespace

std::string render_json(const Report& report) {
    const Json object = {
        {"format", "ward-report-1"},         {"title", report.title},
        {"created_utc", report.created_utc}, {"software", report.software},
        {"summary", report.summary},         {"subjects", list_json(report.subjects, subject_json)},
        {"commands", report.commands},       {"glossary", report.glossary}};
    return object.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ward::audit
