"use strict";
// Small SVG charts. Everything written into SVG is a number or a constant of this file, never text from the data.

const MARGIN = { left: innerWidth < 480 ? 46 : 58, right: 10, top: 10, bottom: 26 };
const UTC_DATE = (minute) => new Date(minute * 60000).toISOString();
const dateTime = (minute) => UTC_DATE(minute).slice(0, 16).replace("T", " ");
const minus = (text) => text.replace("-", "−");
const percentText = (digits) => (value) => (value == null ? "–" : minus((100 * value).toFixed(digits)) + "%");
const numberText = (digits) => (value) =>
  value == null ? "–" : minus(value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
const compactText = (value) => minus(new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 4 }).format(value));
const significantText = (value) => (value == null ? "–" : minus(value.toLocaleString("en-US", { maximumSignificantDigits: 6 })));
const pixel = (value) => Math.round(value * 10) / 10;

function unpackGrid(grid) {
  if (grid.start == null) return [];
  const times = [grid.start];
  for (let run = 0; run < grid.steps.length; run += 2)
    for (let k = 0; k < grid.steps[run + 1]; k++) times.push(times[times.length - 1] + grid.steps[run]);
  return times;
}

function unpackCurve({ scale, deltas }) {
  let sum = 0;
  return deltas.map((delta) => (sum += delta) / scale);
}

function lowerBound(sorted, value) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1; else high = middle;
  }
  return low;
}

function nearest(sorted, value) {
  const right = Math.min(lowerBound(sorted, value), sorted.length - 1);
  return right > 0 && value - sorted[right - 1] < sorted[right] - value ? right - 1 : right;
}

function scale(domain, range, log = false) {
  const f = log ? Math.log : (x) => x;
  const [a, b] = domain.map(f), slope = (range[1] - range[0]) / (b - a || 1);
  const forward = (value) => range[0] + (f(value) - a) * slope;
  forward.invert = (at) => (log ? Math.exp : (x) => x)(a + (at - range[0]) / slope);
  return forward;
}

function niceTicks([low, high], wanted) {
  const raw = (high - low) / Math.max(wanted, 1) || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= raw) * power;
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) ticks.push(+(k * step).toPrecision(12));
  return ticks;
}

function logTicks([low, high], wanted) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
    for (const factor of [1, 2, 5]) {
      const tick = factor * 10 ** power;
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  return ticks.length >= 3 ? ticks : niceTicks([low, high], wanted).filter((tick) => tick > 0);
}

const HOUR = 60, DAY = 1440;
const TIME_STEPS = [HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY];
const MONTH_STEPS = [1, 2, 3, 6, 12, 24];

function timeTicks([from, to], wanted) {
  const raw = (to - from) / Math.max(wanted, 1), step = TIME_STEPS.find((candidate) => candidate >= raw);
  const ticks = [];
  if (step) {
    for (let t = Math.ceil(from / step) * step; t <= to; t += step) ticks.push([t, step < DAY && t % DAY ? dateTime(t).slice(11) : dateTime(t).slice(5, 10)]);
    return ticks;
  }
  const months = MONTH_STEPS.find((candidate) => candidate * 30.4 * DAY >= raw) || 48;
  const first = new Date(from * 60000);
  for (let month = Math.ceil((first.getUTCFullYear() * 12 + first.getUTCMonth()) / months) * months; ; month += months) {
    const t = Date.UTC(Math.floor(month / 12), month % 12, 1) / 60000;
    if (t > to) return ticks;
    if (t >= from) ticks.push([t, month % 12 ? UTC_DATE(t).slice(0, 7) : UTC_DATE(t).slice(0, 4)]);
  }
}

// Path of a line, thinned to first, lowest, highest and last point of every pixel column.
function linePath(xs, ys, sx, sy, from, to) {
  let path = "", pen = "M", column = null, points = [];
  const flush = () => {
    if (!points.length) return;
    let low = points[0], high = points[0];
    for (const p of points) { if (p[1] < low[1]) low = p; if (p[1] > high[1]) high = p; }
    const kept = [...new Set([points[0], low, high, points[points.length - 1]])].sort((p, q) => p[2] - q[2]);
    for (const [x, y] of kept) { path += pen + pixel(x) + " " + pixel(y); pen = "L"; }
    points = [];
  };
  for (let i = from; i < to; i++) {
    if (ys[i] == null) { flush(); pen = "M"; column = null; continue; }
    const x = sx(xs[i]);
    if (Math.floor(x) !== column) { flush(); column = Math.floor(x); }
    points.push([x, sy(ys[i]), i]);
  }
  flush();
  return path;
}

function areaPath(xs, lows, highs, sx, sy, from, to) {
  let forth = "", back = "", areas = "";
  const close = () => { if (forth) areas += "M" + forth.slice(1) + back + "Z"; forth = back = ""; };
  for (let i = from; i < to; i++) {
    if (lows[i] == null || highs[i] == null) { close(); continue; }
    const x = pixel(sx(xs[i]));
    forth += `L${x} ${pixel(sy(highs[i]))}`;
    back = `L${x} ${pixel(sy(lows[i]))}` + back;
  }
  close();
  return areas;
}

// Axes and grid; returns the SVG text. Ticks are [value, text].
function axes(size, sx, sy, xTicks, yTicks) {
  let svg = "";
  for (const [value, text] of yTicks) {
    const y = pixel(sy(value));
    svg += `<line class="gridline" x1="${MARGIN.left}" x2="${size.width - MARGIN.right}" y1="${y}" y2="${y}"/>` +
      `<text x="${MARGIN.left - 8}" y="${y + 4}" text-anchor="end">${text}</text>`;
  }
  for (const [value, text] of xTicks) {
    const x = pixel(sx(value)), anchor = x > size.width - 24 ? "end" : "middle";
    svg += `<text x="${x}" y="${size.height - 7}" text-anchor="${anchor}">${text}</text>`;
  }
  return svg;
}

function plotBox(plot) {
  const size = { width: plot.clientWidth, height: plot.clientHeight };
  return { size, x: [MARGIN.left, size.width - MARGIN.right], y: [size.height - MARGIN.bottom, MARGIN.top] };
}

const svgFrame = (size, content) =>
  `<svg viewBox="0 0 ${size.width} ${size.height}" aria-hidden="true" focusable="false">${content}<line class="cross" y1="${MARGIN.top}" y2="${size.height - MARGIN.bottom}" visibility="hidden"/><rect class="select" y="${MARGIN.top}" height="${Math.max(size.height - MARGIN.top - MARGIN.bottom, 0)}" visibility="hidden"/></svg>`;

function readoutItem(parent, label, value, swatch) {
  const item = document.createElement("span");
  if (swatch) {
    const line = document.createElement("i");
    line.style.borderTopColor = `var(--${swatch.colour})`;
    line.style.borderTopStyle = swatch.style || "solid";
    item.append(line);
  }
  const strong = document.createElement("b");
  strong.textContent = value;
  item.append(label + " ", strong);
  parent.append(item);
}

// One window and one crosshair for every chart over time.
class TimeWindow {
  constructor(from, to) {
    this.full = [from, to];
    this.range = [from, to];
    this.cursor = null;
    this.listeners = [];
  }
  set(from, to) {
    const span = Math.min(Math.max(to - from, 6 * HOUR), this.full[1] - this.full[0]);
    const start = Math.min(Math.max(from, this.full[0]), this.full[1] - span);
    this.range = [start, start + span];
    this.listeners.forEach((listener) => listener.draw());
  }
  point(at) {
    this.cursor = at;
    this.listeners.forEach((listener) => listener.showCursor());
  }
  zoom(factor) {
    const [from, to] = this.range, centre = this.cursor ?? (from + to) / 2;
    this.set(centre - (centre - from) * factor, centre + (to - centre) * factor);
  }
  shift(share) {
    const span = this.range[1] - this.range[0];
    this.set(this.range[0] + share * span, this.range[1] + share * span);
  }
  reset() { this.set(...this.full); }
}

// A chart over time. spec: {times, series: [{name, values, colour, line, area, hidden}], format, tick, domain, extra, note}
class TimeChart {
  constructor(figure, window_, spec) {
    Object.assign(this, { window: window_, spec, log: false });
    this.plot = figure.querySelector(".plot");
    this.readout = figure.querySelector(".readout");
    window_.listeners.push(this);
    new ResizeObserver(() => this.draw()).observe(this.plot);
    this.listen();
  }
  visible() {
    const { times } = this.spec, [from, to] = this.window.range;
    return [Math.max(lowerBound(times, from) - 1, 0), Math.min(lowerBound(times, to) + 1, times.length)];
  }
  yDomain(from, to) {
    let low = Infinity, high = -Infinity;
    for (const { values } of this.spec.series) {
      for (let i = from; i < to; i++) {
        const value = values[i];
        if (value == null) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    if (!(low <= high)) return [0, 1];
    if (this.spec.top != null) high = this.spec.top;
    if (low === high) { const half = Math.abs(low) * 0.01 || 0.01; return [low - half, this.spec.top != null ? high : high + half]; }
    if (this.log) { const pad = (high / low) ** 0.04; return [low / pad, high * pad]; }
    const pad = (high - low) * 0.05;
    return [low - pad, this.spec.top != null ? high : high + pad];
  }
  draw() {
    const box = plotBox(this.plot), { times, series } = this.spec;
    if (box.size.width < 80) return;
    const [from, to] = this.visible(), domain = this.yDomain(from, to);
    this.sx = scale(this.window.range, box.x);
    this.sy = scale(domain, box.y, this.log);
    const wantedY = Math.max(Math.floor((box.y[0] - box.y[1]) / 42), 2), wantedX = Math.max(Math.floor((box.x[1] - box.x[0]) / 90), 2);
    const yTicks = (this.log ? logTicks : niceTicks)(domain, wantedY).map((tick) => [tick, this.spec.tick(tick)]);
    const clip = `clip-${this.plot.parentElement.dataset.chart}`;
    let body = this.spec.under ? this.spec.under(this, box) : "";
    for (const { values, low, high, line, area } of series) {
      if (low) body += `<path class="area f-${area}" d="${areaPath(times, low, high, this.sx, this.sy, from, to)}"/>`;
      else if (area) body += `<path class="area f-${area}" d="${linePath(times, values, this.sx, this.sy, from, to)}L${pixel(this.sx(times[to - 1]))} ${pixel(this.sy(0))}L${pixel(this.sx(times[from]))} ${pixel(this.sy(0))}Z"/>`;
      if (line) body += `<path class="curve s-${line}" d="${linePath(times, values, this.sx, this.sy, from, to)}"/>`;
    }
    if (this.spec.over) body += this.spec.over(this, box);
    this.plot.innerHTML = svgFrame(box.size,
      `<clipPath id="${clip}"><rect x="${box.x[0]}" y="${box.y[1] - 4}" width="${box.x[1] - box.x[0]}" height="${box.y[0] - box.y[1] + 8}"/></clipPath>` +
      axes(box.size, this.sx, this.sy, timeTicks(this.window.range, wantedX), yTicks) + `<g clip-path="url(#${clip})">${body}</g>`);
    this.showCursor();
  }
  showCursor() {
    const { times, series } = this.spec, cross = this.plot.querySelector(".cross"), at = this.window.cursor;
    if (!cross) return;
    const [from, to] = this.window.range, inside = at != null && at >= from && at <= to;
    const index = inside ? nearest(times, at) : Math.min(lowerBound(times, to), times.length - 1);
    cross.setAttribute("visibility", inside ? "visible" : "hidden");
    if (inside) { const x = pixel(this.sx(times[index])); cross.setAttribute("x1", x); cross.setAttribute("x2", x); }
    this.readout.textContent = "";
    readoutItem(this.readout, "", dateTime(times[index]));
    for (const { name, values, format, colour, style } of series)
      if (name) readoutItem(this.readout, name, (format || this.spec.format)(values[index]), colour && { colour, style });
    const note = this.spec.note && this.spec.note(inside ? at : null);
    if (note) readoutItem(this.readout, note[0], note[1]);
  }
  timeAt(event) { return this.sx.invert(event.clientX - this.plot.getBoundingClientRect().left); }
  listen() {
    const { plot, window: view } = this;
    let start = null;
    plot.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button === 0) { start = event.clientX; plot.setPointerCapture(event.pointerId); }
      view.point(this.timeAt(event));
    });
    plot.addEventListener("pointermove", (event) => {
      view.point(this.timeAt(event));
      if (start != null) this.showSelection(start, event.clientX);
    });
    plot.addEventListener("pointerup", (event) => {
      if (start == null) return;
      const [a, b] = [start, event.clientX].sort((p, q) => p - q).map((clientX) => this.timeAt({ clientX }));
      if (Math.abs(event.clientX - start) > 6) view.set(a, b);
      this.showSelection(0, 0);
      start = null;
    });
    plot.addEventListener("pointercancel", () => { start = null; this.showSelection(0, 0); });
    plot.addEventListener("pointerleave", () => { if (start == null) view.point(null); });
    plot.addEventListener("dblclick", () => view.reset());
    plot.addEventListener("keydown", (event) => this.onKey(event));
  }
  showSelection(from, to) {
    const rect = this.plot.querySelector(".select"), left = this.plot.getBoundingClientRect().left;
    rect.setAttribute("visibility", Math.abs(to - from) > 6 ? "visible" : "hidden");
    rect.setAttribute("x", Math.min(from, to) - left);
    rect.setAttribute("width", Math.abs(to - from));
  }
  onKey(event) {
    const view = this.window, [from, to] = view.range, step = (to - from) / (event.shiftKey ? 10 : 100);
    const at = view.cursor ?? (from + to) / 2;
    const actions = {
      ArrowLeft: () => view.point(Math.max(at - step, from)), ArrowRight: () => view.point(Math.min(at + step, to)),
      "+": () => view.zoom(0.5), "=": () => view.zoom(0.5), "-": () => view.zoom(2), Escape: () => view.reset(),
    };
    if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
  }
}

// Any other chart. spec: {x, y: domains, xTick, yTick, body(sx, sy, box), items: [{x, texts: [[label, value]]}], rest}
class PlainChart {
  constructor(figure, spec) {
    this.spec = spec;
    this.lit = null;
    this.plot = figure.querySelector(".plot");
    this.readout = figure.querySelector(".readout");
    new ResizeObserver(() => this.draw()).observe(this.plot);
    this.plot.addEventListener("pointermove", (event) => this.light(this.itemAt(event)));
    this.plot.addEventListener("pointerdown", (event) => this.light(this.itemAt(event)));
    this.plot.addEventListener("pointerleave", () => this.light(null));
    this.plot.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!move || !spec.items.length) return;
      event.preventDefault();
      this.light(Math.min(Math.max((this.lit ?? -1) + move, 0), spec.items.length - 1));
    });
  }
  itemAt(event) {
    const { items } = this.spec;
    if (!items.length || !this.sx) return null;
    const at = this.sx.invert(event.clientX - this.plot.getBoundingClientRect().left);
    return nearest(items.map((item) => item.x), at);
  }
  draw() {
    const box = plotBox(this.plot), { spec } = this;
    if (box.size.width < 80) return;
    this.sx = scale(spec.x, box.x);
    this.sy = scale(spec.y, box.y);
    const xTicks = niceTicks(spec.x, Math.max(Math.floor((box.x[1] - box.x[0]) / 70), 2)).map((tick) => [tick, spec.xTick(tick)]);
    const yTicks = niceTicks(spec.y, Math.max(Math.floor((box.y[0] - box.y[1]) / 48), 2)).map((tick) => [tick, spec.yTick(tick)]);
    this.plot.innerHTML = svgFrame(box.size, axes(box.size, this.sx, this.sy, xTicks, yTicks) + spec.body(this.sx, this.sy, box));
    this.light(this.lit);
  }
  light(index) {
    this.lit = index;
    this.plot.querySelectorAll("[data-item]").forEach((node) => node.classList.toggle("lit", +node.dataset.item === index));
    const cross = this.plot.querySelector(".cross");
    if (cross) {
      cross.setAttribute("visibility", index == null ? "hidden" : "visible");
      if (index != null) { const x = pixel(this.sx(this.spec.items[index].x)); cross.setAttribute("x1", x); cross.setAttribute("x2", x); }
    }
    this.readout.textContent = "";
    for (const [label, value] of index == null ? this.spec.rest : this.spec.items[index].texts) readoutItem(this.readout, label, value);
  }
}
