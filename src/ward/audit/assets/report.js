// Draws the charts of a Ward report from the JSON in #chart-data. Colours come from the style sheet, so light,
// dark and print look alike. Sets data-charts-ready on <html> to the number of charts drawn.
(() => {
  "use strict";
  const root = document.documentElement;
  const items = JSON.parse(document.getElementById("chart-data").textContent);
  const color = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const percent = (value) => {
    const scaled = Math.round(value * 1e4) / 100;
    return (scaled === 0 && value !== 0 ? +(100 * value).toPrecision(2) : scaled) + " %";
  };
  const number = (value) => (Math.abs(value) >= 1e4 ? value.toLocaleString("en") : String(+value.toPrecision(6)));
  let charts = [];
  const strokes = ["--series-1", "--series-2", "--series-4", "--series-5", "--series-6"];
  const shapes = ["circle", "rectRot", "triangle", "rect", "star"];
  const dashes = [[6, 5], [2, 3], [10, 4, 2, 4]];

  // On a logarithmic axis only powers of ten (and 2 and 5 where the axis is short) have a label.
  const tick = (value, asPercent, log, ticks) => {
    if (log) {
      const lead = value / Math.pow(10, Math.floor(Math.log10(value) + 1e-9));
      const short = ticks[ticks.length - 1].value / ticks[0].value <= 100.01;
      if (![1, ...(short ? [2, 5] : [])].some((wanted) => Math.abs(lead - wanted) < 1e-6)) return null;
    }
    return asPercent ? percent(value) : number(value);
  };

  const axis = (title, asPercent, square, log, least) => ({
    type: log ? "logarithmic" : "linear",
    title: { display: true, text: title, color: color("--soft") },
    grid: { color: color("--line") },
    ticks: { color: color("--soft"), maxRotation: log ? 0 : 45, callback: (value, _, ticks) => tick(value, asPercent, log, ticks) },
    ...(square ? { min: 0, max: 1 } : {}),
    ...(least > 0 ? { min: least } : {}),
    ...(log && asPercent ? { max: 1 } : {}),
  });

  const dataset = (item, series, index) => {
    const solid = item.series.slice(0, index).filter((one) => !one.dashed).length % strokes.length;
    const broken = item.series.slice(0, index).filter((one) => one.dashed).length % dashes.length;
    const stroke = series.dashed ? color("--series-3") : color(strokes[solid]);
    if (item.kind === "bar") {
      return { label: series.name, data: series.y, backgroundColor: stroke, borderRadius: 3, maxBarThickness: 26 };
    }
    const points = series.x.map((x, i) => ({ x, y: series.y[i] }));
    const quiet = !series.points && (series.dashed || points.length > 60);
    const heaviest = Math.max(1, ...series.weights);
    const radius = series.weights.length > 0 ? series.weights.map((w) => 2.5 + 7 * Math.sqrt(w / heaviest)) : quiet ? 0 : series.points ? 4.5 : 3;
    return {
      label: series.name, data: points, showLine: !series.points && (series.dashed || series.weights.length === 0),
      borderColor: stroke, backgroundColor: series.weights.length > 0 || series.points ? stroke + "b0" : stroke,
      borderWidth: series.points ? 1 : series.dashed ? 1.5 : 2.25, borderDash: series.dashed ? dashes[broken] : [],
      pointRadius: radius, pointHoverRadius: radius, pointHitRadius: 10, pointStyle: quiet ? "line" : shapes[solid],
      tension: 0, clip: 12,
    };
  };

  // The 95 % interval of a line as a band behind it: its upper edge, filled down to its lower edge.
  const band = (item, series, index) => {
    if (series.low.length === 0 || series.low.length !== series.x.length) return [];
    const { borderColor } = dataset(item, series, index);
    const edge = (values) => ({
      label: "", band: true, data: series.x.map((x, i) => ({ x, y: values[i] })), borderWidth: 0, pointRadius: 0,
      pointHitRadius: 0, pointHoverRadius: 0, backgroundColor: borderColor + "26", fill: false, clip: 12,
    });
    return [edge(series.low), { ...edge(series.high), fill: "-1" }];
  };

  const options = (item) => {
    const bar = item.kind === "bar";
    const scales = {
      x: bar
        ? { title: { display: true, text: item.x_label, color: color("--soft") }, grid: { display: false },
            ticks: { color: color("--soft") } }
        : axis(item.x_label, item.x_percent, item.unit_square, item.x_log, item.x_least),
      y: axis(item.y_label, item.y_percent, item.unit_square, item.y_log, item.y_least),
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
          labels: { color: color("--ink"), usePointStyle: !bar, boxWidth: bar ? 12 : 22, boxHeight: bar ? 12 : 7,
            filter: (entry, all) => !all.datasets[entry.datasetIndex].band },
        },
        tooltip: {
          filter: (hit) => !hit.dataset.band,
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
      const data = { datasets: item.series.flatMap((series, index) => [...band(item, series, index), dataset(item, series, index)]) };
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
