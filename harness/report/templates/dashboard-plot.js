"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const svg = document.getElementById("plot");
  const note = document.getElementById("note");
  const hint = note.textContent;
  const points = data.points.map(([value, low, high, host, started, commit, verdict, folder], index) =>
    ({ value, low, high, host, started, commit, verdict, folder, index })).filter((p) => p.value !== null);
  const breaks = data.findings.map(([before, at, after, , , , creep]) => (creep ? [before + 1, after] : [at, at])).sort((a, b) => a[0] - b[0]);
  const margin = { left: 84, right: 14, top: 26, bottom: 30 };
  let first = -0.5, last = data.points.length - 0.5;
  const reach = 14;
  let dragFrom = null, dragTo = null, near = null, scaleY = () => 0, known = null;

  const make = (name, attributes, parent, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    parent.appendChild(node);
    return node;
  };
  const size = () => ({ width: svg.clientWidth || 900, height: svg.clientHeight || 400 });
  const scaleX = (width) => (index) => margin.left + (index - first) / (last - first) * (width - margin.left - margin.right);
  const indexAt = (x, width) => first + (x - margin.left) / (width - margin.left - margin.right) * (last - first);

  const range = (shown) => {
    let low = Infinity, high = -Infinity;
    for (const p of shown) {
      low = Math.min(low, p.value, p.low ?? p.value);
      high = Math.max(high, p.value, p.high ?? p.value);
    }
    if (!(high >= low)) return [0, 1];
    const space = (high - low) * 0.12 || Math.abs(high) * 0.01 || 1;
    return [low - space, high + space];
  };
  const ticks = (low, high, wanted) => {
    const raw = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
    const found = [];
    for (let t = Math.ceil(low / step) * step; t <= high; t += step) found.push(t);
    return [found, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))];
  };
  const median = (values) => {
    const sorted = [...values].sort((a, b) => a - b), middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  };

  const draw = () => {
    const { width, height } = size();
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.replaceChildren();
    const shown = points.filter((p) => p.index >= first && p.index <= last);
    const [low, high] = range(shown);
    const x = scaleX(width);
    const y = (value) => margin.top + (high - value) / (high - low) * (height - margin.top - margin.bottom);
    scaleY = y;
    const [rows, digits] = ticks(low, high, 9);
    for (const row of rows) {
      make("line", { class: "grid", x1: margin.left, x2: width - margin.right, y1: y(row), y2: y(row) }, svg);
      make("text", { x: margin.left - 8, y: y(row) + 4, "text-anchor": "end" }, svg, row.toFixed(Math.min(digits, 6)));
    }
    const every = Math.max(1, Math.round((last - first) / Math.max(2, width / 130)));
    for (let i = Math.max(0, Math.ceil(first)); i <= Math.min(last, data.points.length - 1); i += every)
      make("text", { x: x(i), y: height - 8, "text-anchor": "middle" }, svg, data.points[i][4].slice(0, 10));
    const middle = (margin.top + height - margin.bottom) / 2;
    make("text", { x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` }, svg, data.axis);
    const clip = make("clipPath", { id: "inside" }, make("defs", {}, svg));
    make("rect", { x: margin.left, y: 0, width: width - margin.left - margin.right, height: height - margin.bottom }, clip);
    const inside = make("g", { "clip-path": "url(#inside)" }, svg);
    data.findings.forEach(([before, at, after, label, tone, title], i) => {
      if (after < first || before > last) return;
      const group = make("g", { class: tone }, inside);
      make("rect", { class: "band", x: x(before), y: margin.top, width: Math.max(x(after) - x(before), 2), height: height - margin.top - margin.bottom }, group);
      make("line", { class: "edge", x1: x(at - 0.5), x2: x(at - 0.5), y1: margin.top, y2: height - margin.bottom }, group);
      const right = x(at) > width - 120;
      make("text", { class: "label", x: x(at) + (right ? -4 : 4), y: 12 + (i % 2) * 12, "text-anchor": right ? "end" : "start" }, group, label);
      make("title", {}, group, title);
    });
    const course = shown.map((p, i) => `${i ? "L" : "M"}${x(p.index).toFixed(1)} ${y(p.value).toFixed(1)}`).join("");
    if (course) make("path", { class: "course", d: course }, inside);
    let begin = 0, before = null;
    for (const [start, end] of [...breaks, [data.points.length, data.points.length]]) {
      const part = points.filter((p) => p.index >= begin && p.index < Math.max(start, begin + 1));
      const level = part.length ? median(part.map((p) => p.value)) : null;
      if (level !== null) {
        make("line", { class: "level", x1: x(part[0].index), x2: x(part[part.length - 1].index), y1: y(level), y2: y(level) }, inside);
        if (before) make("line", { class: "level", x1: x(before.index), x2: x(part[0].index), y1: y(before.level), y2: y(level) }, inside);
      }
      before = end > start + 1 && part.length ? { index: part[part.length - 1].index, level } : null;
      begin = end;
    }
    const radius = shown.length > 300 ? 1.8 : 3;
    for (const p of shown) {
      if (p.low !== null && p.high !== null) make("line", { class: "whisker", x1: x(p.index), x2: x(p.index), y1: y(p.high), y2: y(p.low) }, inside);
      const dot = { class: p.verdict === "pass" || p.verdict === "inconclusive" ? "dot" : "dot failed" };
      if (p.host % 2) make("rect", { ...dot, x: x(p.index) - radius, y: y(p.value) - radius, width: 2 * radius, height: 2 * radius }, inside);
      else make("circle", { ...dot, cx: x(p.index), cy: y(p.value), r: radius }, inside);
    }
    if (near) make("circle", { class: "near", cx: x(near.index), cy: y(near.value), r: radius + 4 }, inside);
    if (dragFrom !== null && dragTo !== null)
      make("rect", { class: "chosen", x: Math.min(dragFrom, dragTo), y: margin.top, width: Math.abs(dragTo - dragFrom), height: height - margin.top - margin.bottom }, svg);
  };

  const say = () => {
    if (!near) { note.textContent = hint; return; }
    const interval = near.low !== null && near.high !== null ? ` [${near.low.toPrecision(5)}, ${near.high.toPrecision(5)}]` : "";
    note.textContent = `${near.value.toPrecision(6)} ${data.unit}${interval} · ${near.started} · commit ${near.commit || "unknown"} · ${near.verdict} · ${data.hosts[near.host]}${near.folder ? "" : " · no report here"}`;
  };
  const zoom = (from, to) => {
    const least = 3, whole = data.points.length;
    if (to - from < least) { const middle = (from + to) / 2; from = middle - least / 2; to = middle + least / 2; }
    first = Math.max(-0.5, from);
    last = Math.min(whole - 0.5, to);
    draw();
  };
  const open = () => { if (near && near.folder) location.href = `../../${encodeURIComponent(near.folder)}/report.html`; };
  const place = (event) => event.clientX - svg.getBoundingClientRect().left;

  const away = (event) => {
    const box = svg.getBoundingClientRect();
    return near ? Math.hypot(scaleX(size().width)(near.index) - (event.clientX - box.left), scaleY(near.value) - (event.clientY - box.top)) : Infinity;
  };
  const seek = (event) => {
    const index = indexAt(place(event), size().width);
    near = points.reduce((best, p) => (!best || Math.abs(p.index - index) < Math.abs(best.index - index) ? p : best), null);
    say();
    draw();
  };

  svg.addEventListener("pointerdown", (event) => { dragFrom = place(event); dragTo = null; known = near; svg.setPointerCapture(event.pointerId); });
  svg.addEventListener("pointermove", (event) => {
    if (dragFrom !== null) dragTo = place(event);
    seek(event);
  });
  svg.addEventListener("pointercancel", () => { dragFrom = dragTo = null; draw(); });
  svg.addEventListener("pointerup", (event) => {
    const from = dragFrom, to = place(event), { width } = size();
    dragFrom = dragTo = null;
    if (from !== null && Math.abs(to - from) > 8) return zoom(indexAt(Math.min(from, to), width), indexAt(Math.max(from, to), width));
    seek(event);
    if (away(event) <= reach && (event.pointerType === "mouse" || known === near)) open();
  });
  svg.addEventListener("pointerleave", () => { if (dragFrom === null && matchMedia("(hover: hover)").matches) { near = null; say(); draw(); } });
  svg.addEventListener("dblclick", () => zoom(-0.5, data.points.length - 0.5));
  svg.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const middle = indexAt(place(event), size().width), factor = event.deltaY > 0 ? 1.25 : 0.8;
    zoom(middle - (middle - first) * factor, middle + (last - middle) * factor);
  }, { passive: false });
  svg.addEventListener("keydown", (event) => {
    const span = last - first, at = near ? points.indexOf(near) : points.length;
    const moves = {
      "0": () => zoom(-0.5, data.points.length - 0.5),
      "+": () => zoom(first + span / 4, last - span / 4),
      "-": () => zoom(first - span / 2, last + span / 2),
      ArrowLeft: () => { near = points[Math.max(0, at - 1)]; say(); draw(); },
      ArrowRight: () => { near = points[Math.min(points.length - 1, at + 1)]; say(); draw(); },
      Enter: open,
    };
    if (moves[event.key]) { event.preventDefault(); moves[event.key](); }
  });
  document.getElementById("all").addEventListener("click", () => zoom(-0.5, data.points.length - 0.5));
  document.getElementById("recent").addEventListener("click", () => zoom(data.points.length - 60.5, data.points.length - 0.5));
  addEventListener("resize", draw);
  draw();
})();
