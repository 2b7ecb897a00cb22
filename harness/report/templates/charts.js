"use strict";
(() => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const strokes = () => ["--series-1", "--series-2", "--series-3"].map(css);
  const font = "13px system-ui, sans-serif";

  const bands = (limits) => (chart) => {
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.font = `${13 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = "left";
    ctx.strokeStyle = ctx.fillStyle = css("--bad");
    ctx.setLineDash([6, 4]);
    const sample = 24 * devicePixelRatio, space = 6 * devicePixelRatio;
    const stroke = (from, to, y) => { ctx.beginPath(); ctx.moveTo(from, y); ctx.lineTo(to, y); ctx.stroke(); };
    // The key stands above the plot, where it covers no point.
    let x = bbox.left;
    for (const [value, text] of limits) {
      const y = chart.valToPos(value, "y", true);
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      stroke(bbox.left, bbox.left + bbox.width, y);
      stroke(x, x + sample, bbox.top - 2 * space);
      ctx.fillText(text, x + sample + space, bbox.top - space * 4 / 3);
      x += sample + 4 * space + ctx.measureText(text).width;
    }
    ctx.restore();
  };

  const within = (low, high, limits) => {
    const ends = [low, high, ...limits.map(([value]) => value)].filter(Number.isFinite);
    const least = Math.min(...ends), most = Math.max(...ends), space = (most - least) * 0.08 || 1;
    return [least >= 0 && least - space < 0 ? 0 : least - space, most + space];
  };

  const draw = (figure) => {
    const plain = JSON.parse(figure.querySelector("script").textContent);
    const place = document.createElement("div");
    place.className = "live";
    figure.prepend(place);
    const axis = (label, values) => ({ label, stroke: css("--muted"), font, labelFont: font, grid: { stroke: css("--line") }, ticks: { stroke: css("--line") }, size: values ? 62 : 44 });
    const colours = strokes();
    // Frames and launches are counted: no tick between two of them, and no point on the edge.
    const counted = plain.data[0].every(Number.isInteger);
    const incrs = counted ? [1, 2, 5].flatMap((_, i, all) => [...Array(9).keys()].map((power) => all[i] * 10 ** power)).sort((a, b) => a - b) : undefined;
    const across = (_, low, high) => { const space = plain.points ? Math.max((high - low) * 0.01, counted && high - low < 100 ? 0.5 : 0) : 0; return [low - space, high + space]; };
    const width = () => Math.max(280, figure.clientWidth);
    const height = () => (width() < 480 ? 250 : 320);
    const chart = new uPlot({
      width: width(), height: height(),
      padding: [plain.limits.length ? 24 : 12, 12, 0, 0],
      cursor: { drag: { x: true, y: false } },
      scales: { x: { time: false, range: across }, y: { range: (_, low, high) => within(low, high, plain.limits) } },
      axes: [{ ...axis(plain.x, false), incrs }, axis(plain.y, true)],
      series: [{ label: plain.x, value: (_, v) => (v === null || v === undefined ? "–" : v) }, ...plain.names.map((label, i) => ({
        label, stroke: colours[i % 3], width: plain.points ? 0 : 2, dash: plain.points ? undefined : [[], [7, 4], [2, 3]][i % 3],
        paths: plain.points ? () => null : undefined, points: { show: Boolean(plain.points), size: i ? 6 : 4, fill: colours[i % 3], stroke: colours[i % 3] },
        value: (_, v) => (v === null || v === undefined ? "–" : `${v.toPrecision(4)} ${plain.unit}`),
      }))],
      hooks: { draw: [bands(plain.limits)] },
    }, plain.data, place);
    addEventListener("resize", () => chart.setSize({ width: width(), height: height() }));
    return chart;
  };

  const all = () => {
    for (const figure of document.querySelectorAll("figure.chart")) {
      for (const old of figure.querySelectorAll(".live")) old.remove();
      draw(figure);
      figure.classList.add("drawn");
    }
  };
  all();
  dark.addEventListener("change", all);
})();
