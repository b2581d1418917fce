// Draws the charts of a Ward report from the JSON in #chart-data. Colours come from the style sheet, so light,
// dark and print look alike. Sets data-charts-ready on <html> to the number of charts drawn.
(() => {
  "use strict";
  const root = document.documentElement;
  const items = JSON.parse(document.getElementById("chart-data").textContent);
  const color = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const percent = (value) => {
    const scaled = Math.round(value * 1e4) / 100;
    return scaled + " %";
  };
  const number = (value) => (Math.abs(value) >= 1e4 ? value.toLocaleString("en") : String(+value.toPrecision(6)));
  let charts = [];

  const axis = (title, asPercent, square) => ({
    title: { display: true, text: title, color: color("--soft") },
    grid: { color: color("--line") },
    ticks: { color: color("--soft"), maxRotation: 45, callback: (value) => (asPercent ? percent(value) : number(value)) },
    ...(square ? { min: 0, max: 1 } : {}),
  });

  const dataset = (item, series, index) => {
    const stroke = series.dashed ? color("--series-3") : color(index === 0 ? "--series-1" : "--series-2");
    if (item.kind === "bar") {
      return { label: series.name, data: series.y, backgroundColor: stroke, borderRadius: 3, maxBarThickness: 26 };
    }
    const points = series.x.map((x, i) => ({ x, y: series.y[i] }));
    const quiet = series.dashed || points.length > 60;
    const heaviest = Math.max(1, ...series.weights);
    const radius = series.weights.length > 0 ? series.weights.map((w) => 2.5 + 7 * Math.sqrt(w / heaviest)) : quiet ? 0 : 3;
    return {
      label: series.name, data: points, showLine: series.dashed || series.weights.length === 0, borderColor: stroke, backgroundColor: series.weights.length > 0 ? stroke + "b0" : stroke,
      borderWidth: series.dashed ? 1.5 : 2.25, borderDash: series.dashed ? [6, 5] : [],
      pointRadius: radius, pointHoverRadius: radius, pointHitRadius: 10, pointStyle: series.dashed ? "line" : index === 0 ? "circle" : "rectRot",
      tension: 0, clip: 12,
    };
  };

  const options = (item) => {
    const bar = item.kind === "bar";
    const scales = {
      x: bar
        ? { title: { display: true, text: item.x_label, color: color("--soft") }, grid: { display: false },
            ticks: { color: color("--soft") } }
        : { type: "linear", ...axis(item.x_label, item.x_percent, item.unit_square) },
      y: axis(item.y_label, item.y_percent, item.unit_square),
    };
    if (bar) scales.y.beginAtZero = true;
    const show = (asPercent, value) => (asPercent ? percent(value) : number(value));
    return {
      responsive: true, maintainAspectRatio: false, animation: false,
      interaction: { mode: "nearest", axis: bar ? "x" : "xy", intersect: false },
      scales,
      plugins: {
        legend: {
          display: item.series.length > 1, position: "top", align: "start",
          labels: { color: color("--ink"), usePointStyle: !bar, boxWidth: bar ? 12 : 22, boxHeight: bar ? 12 : 7 },
        },
        tooltip: {
          callbacks: {
            title: (hits) => (hits.length === 0 ? "" : bar ? hits[0].label
              : item.x_label + " " + show(item.x_percent, hits[0].parsed.x)),
            label: (hit) => hit.dataset.label + ": " + show(item.y_percent, hit.parsed.y),
          },
        },
      },
    };
  };

  const draw = () => {
    for (const chart of charts) chart.destroy();
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    charts = items.map((item) => {
      const data = { datasets: item.series.map((series, index) => dataset(item, series, index)) };
      if (item.kind === "bar") data.labels = item.categories;
      const type = item.kind === "bar" ? "bar" : item.kind === "scatter" ? "scatter" : "line";
      return new Chart(document.getElementById(item.id), { type, data, options: options(item) });
    });
    root.dataset.chartsReady = String(charts.length);
  };

  draw();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  const print = window.matchMedia("print");
  print.addEventListener("change", draw);
  window.addEventListener("beforeprint", () => charts.forEach((chart) => chart.resize()));
})();
