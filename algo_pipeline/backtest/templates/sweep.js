const data = JSON.parse(document.getElementById("report-data").textContent);
const figureOf = (name) => document.querySelector(`[data-chart="${name}"]`);
const whole = numberText(0), number2 = numberText(2);
const TEXTS = { percent: percentText, number: numberText, count: () => numberText(0) };
const MOST_DIGITS = { percent: 1, number: 2, count: 0 }, LEAST_DIGITS = { percent: 0, number: 1, count: 0 };
const metricText = (metric, value) => TEXTS[metric.kind](MOST_DIGITS[metric.kind])(value);
const escapeText = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const EVERY = -1;

function median(sorted) {
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// How several combinations become one cell; `values` are sorted from worst to best.
const PICKS = { median, best: (values) => values[values.length - 1], worst: (values) => values[0] };

// The combinations as a table of two fields; each other field is held at a value or taken as a whole.
class Grid {
  constructor(fields) {
    this.fields = fields;
    this.strides = fields.map((_, i) => fields.slice(i + 1).reduce((size, field) => size * field.texts.length, 1));
    const choices = fields.map((_, i) => i).filter((i) => fields[i].judged == null);
    const order = [...choices, ...fields.map((_, i) => i).filter((i) => !choices.includes(i))];
    this.across = order[0];
    this.up = order.length > 1 ? order[1] : null;
    this.held = fields.map((field) => (field.judged == null ? EVERY : field.judged));
  }
  placeOf(row, i) { return Math.floor(row / this.strides[i]) % this.fields[i].texts.length; }
  others() { return this.fields.map((_, i) => i).filter((i) => i !== this.across && i !== this.up); }
  length(i) { return i == null ? 1 : this.fields[i].texts.length; }
  rows(x, y) {
    let rows = [x * this.strides[this.across] + (this.up == null ? 0 : y * this.strides[this.up])];
    for (const i of this.others()) {
      const places = this.held[i] === EVERY ? this.fields[i].texts.map((_, place) => place) : [this.held[i]];
      rows = rows.flatMap((row) => places.map((place) => row + place * this.strides[i]));
    }
    return rows;
  }
  cellOf(place) {
    const hidden = this.others().some((i) => this.held[i] !== EVERY && this.held[i] !== place(i));
    return hidden ? null : [place(this.across), this.up == null ? 0 : place(this.up)];
  }
}

class HeatMap {
  constructor(figure, form) {
    Object.assign(this, { grid: new Grid(data.fields), metric: data.metrics[0], pick: "median", lit: null, width: 0 });
    this.plot = figure.querySelector(".plot");
    this.readout = figure.querySelector(".readout");
    this.form = form;
    this.buildForm();
    new ResizeObserver(() => { if (this.plot.clientWidth !== this.width) this.draw(); }).observe(this.plot);
    for (const event of ["pointermove", "pointerdown"]) this.plot.addEventListener(event, (at) => this.light(this.cellAt(at)));
    this.plot.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") this.light(null); });
    this.plot.addEventListener("keydown", (event) => this.onKey(event));
  }
  buildForm() {
    const { grid } = this, names = grid.fields.map((field) => field.name), indices = names.map((_, i) => i);
    const controls = [this.select("Show", data.metrics.map((metric) => metric.title), indices_(data.metrics), data.metrics.indexOf(this.metric), (i) => { this.metric = data.metrics[i]; })];
    if (names.length > 2) {
      controls.push(this.select("Across", names, indices, grid.across, (i) => { if (i === grid.up) grid.up = grid.across; grid.across = i; }));
      controls.push(this.select("Up", names, indices, grid.up, (i) => { if (i === grid.across) grid.across = grid.up; grid.up = i; }));
    }
    for (const i of grid.others()) {
      const texts = grid.fields[i].texts;
      controls.push(this.select(names[i], ["all of them", ...texts], [EVERY, ...indices_(texts)], grid.held[i], (place) => { grid.held[i] = place; }));
    }
    if (grid.others().some((i) => grid.held[i] === EVERY)) {
      const picks = Object.keys(PICKS);
      controls.push(this.select("A cell shows the", picks, indices_(picks), picks.indexOf(this.pick), (i) => { this.pick = picks[i]; }));
    }
    this.form.replaceChildren(...controls);
  }
  select(label, texts, values, chosen, change) {
    const box = document.createElement("label"), select = document.createElement("select");
    select.append(...texts.map((text, i) => new Option(text, values[i], false, values[i] === chosen)));
    select.addEventListener("change", () => { change(+select.value); this.lit = null; this.buildForm(); this.draw(); this.form.querySelectorAll("label").forEach((other) => { if (other.dataset.name === label) other.querySelector("select").focus(); }); });
    box.dataset.name = label;
    box.append(label, " ", select);
    return box;
  }
  valueOf(rows) {
    const values = rows.map((row) => this.metric.values[row]).filter((value) => value != null).sort((a, b) => a - b);
    if (!this.metric.more_is_better) values.reverse();
    return values.length ? PICKS[this.pick](values) : null;
  }
  fit() {
    const { grid } = this, up = grid.up == null ? [] : grid.fields[grid.up].texts;
    const cols = grid.length(grid.across), rows = grid.length(grid.up), width = this.plot.clientWidth;
    const left = up.length ? 7 * Math.max(...up.map((text) => text.length)) + 12 : 2, top = up.length ? 22 : 4, bottom = 42;
    const cellWidth = Math.min((width - left - 2) / cols, 96);
    const cellHeight = Math.max(Math.min(cellWidth * 0.7, 32, 560 / rows), 3);
    this.box = { left, top, bottom, cols, rows, cellWidth, cellHeight, width, height: top + rows * cellHeight + bottom };
  }
  draw() {
    this.width = this.plot.clientWidth;
    if (this.width < 80) return;
    this.fit();
    const { grid, box } = this;
    this.cells = [];
    for (let y = 0; y < box.rows; y++) for (let x = 0; x < box.cols; x++) this.cells.push(this.valueOf(grid.rows(x, y)));
    const known = this.cells.filter((value) => value != null), even = this.metric.break_even;
    this.low = known.length ? Math.min(...known) : 0;
    this.high = known.length ? Math.max(...known) : 0;
    this.setReach(even ?? 0);
    this.plot.style.height = `${Math.ceil(box.height)}px`;
    this.plot.innerHTML = `<svg viewBox="0 0 ${box.width} ${Math.ceil(box.height)}" aria-hidden="true" focusable="false">${this.cellsSvg()}${this.axesSvg()}${this.frames()}<rect class="frame lit" visibility="hidden"/></svg>`;
    this.showScale();
    this.light(this.lit);
  }
  // Gain and loss each reach full colour, but a side with a tenth of the other's size stays pale.
  setReach(even) {
    const gain = Math.max(this.high - even, 0), loss = Math.max(even - this.low, 0), least = Math.max(gain, loss) / 10;
    this.reach = { gain: Math.max(gain, least) || 1, loss: Math.max(loss, least) || 1 };
  }
  corner(x, y) { return [this.box.left + x * this.box.cellWidth, this.box.top + (this.box.rows - 1 - y) * this.box.cellHeight]; }
  cellsSvg() {
    const { box } = this, digits = this.digitsThatFit(), size = `width="${pixel(box.cellWidth)}" height="${pixel(box.cellHeight)}"`, tiny = box.cellHeight < 9 || box.cellWidth < 9 ? " tiny" : "";
    return this.cells.map((value, i) => {
      const [x, y] = this.corner(i % box.cols, Math.floor(i / box.cols));
      const text = digits == null ? "" : `<text class="cell-text" x="${pixel(x + box.cellWidth / 2)}" y="${pixel(y + box.cellHeight / 2 + 4)}">${TEXTS[this.metric.kind](digits)(value)}</text>`;
      return `<rect class="cell ${this.kindOf(value)}${tiny}" style="--heat:${this.heat(value)}" x="${pixel(x)}" y="${pixel(y)}" ${size}/>${text}`;
    }).join("");
  }
  kindOf(value) {
    const even = this.metric.break_even;
    if (value == null) return "";
    return even == null ? (this.metric.more_is_better ? "size" : "loss") : value > even ? "gain" : value < even ? "loss" : "";
  }
  heat(value) {
    const distance = (value ?? 0) - (this.metric.break_even ?? 0);
    return value == null ? 0 : Math.min(Math.abs(distance) / this.reach[distance < 0 ? "loss" : "gain"], 1).toFixed(2);
  }
  digitsThatFit() {
    const { cellWidth, cellHeight } = this.box;
    if (cellHeight < 15) return null;
    for (let digits = MOST_DIGITS[this.metric.kind]; digits >= LEAST_DIGITS[this.metric.kind]; digits--) {
      const longest = Math.max(...this.cells.map((value) => TEXTS[this.metric.kind](digits)(value).length));
      if (longest * 6.6 + 4 <= cellWidth) return digits;
    }
    return null;
  }
  axesSvg() {
    const { grid, box } = this, bottom = box.top + box.rows * box.cellHeight;
    const across = grid.fields[grid.across], up = grid.up == null ? null : grid.fields[grid.up];
    const everyX = Math.ceil((7 * Math.max(...across.texts.map((text) => text.length)) + 8) / box.cellWidth), everyY = Math.ceil(15 / box.cellHeight);
    let svg = across.texts.map((text, i) => (i % everyX ? "" : `<text x="${pixel(this.corner(i + 0.5, 0)[0])}" y="${pixel(bottom + 16)}" text-anchor="middle">${escapeText(text)}</text>`)).join("");
    svg += `<text class="axis-title" x="${pixel(box.left)}" y="${pixel(bottom + 34)}">${escapeText(across.name)} →</text>`;
    if (!up) return svg;
    svg += up.texts.map((text, i) => (i % everyY ? "" : `<text x="${box.left - 7}" y="${pixel(this.corner(0, i)[1] + box.cellHeight / 2 + 4)}" text-anchor="end">${escapeText(text)}</text>`)).join("");
    return svg + `<text class="axis-title" x="0" y="12">↑ ${escapeText(up.name)}</text>`;
  }
  frames() {
    const { grid } = this;
    const best = data.best == null ? null : grid.cellOf((i) => grid.placeOf(data.best, i));
    const own = grid.fields.every((field) => field.own >= 0) ? grid.cellOf((i) => grid.fields[i].own) : null;
    const legend = this.plot.parentElement.querySelector(".legend");
    legend.querySelector(".best").parentElement.hidden = !best;
    legend.querySelector(".own").parentElement.hidden = !own;
    return (own ? this.frame(own, "own", 4) : "") + (best ? this.frame(best, "best", 2) : "");
  }
  frame([x, y], kind, inset) {
    const [left, top] = this.corner(x, y), { cellWidth, cellHeight } = this.box, by = Math.min(cellWidth, cellHeight) < 12 ? -4 : inset;
    return `<rect class="frame ${kind}" x="${pixel(left + by)}" y="${pixel(top + by)}" width="${pixel(cellWidth - 2 * by)}" height="${pixel(cellHeight - 2 * by)}"/>`;
  }
  showScale() {
    const shade = (value) => {
      const kind = this.kindOf(value) || "size", weight = 0.06 + this.heat(value) * 0.5;
      return `rgb(var(--${kind}-rgb) / ${weight.toFixed(2)})`;
    };
    const even = this.metric.break_even, stops = even == null || even < this.low || even > this.high ? [this.low, this.high] : [this.low, even, this.high];
    const at = (value) => (this.high > this.low ? (100 * (value - this.low)) / (this.high - this.low) : 0).toFixed(1);
    document.getElementById("scale-bar").style.background = `linear-gradient(to right, ${stops.map((value) => `${shade(value)} ${at(value)}%`).join(", ")})`;
    document.getElementById("scale-low").textContent = metricText(this.metric, this.low);
    document.getElementById("scale-high").textContent = metricText(this.metric, this.high);
  }
  cellAt(event) {
    const frame = this.plot.getBoundingClientRect(), { box } = this;
    if (!box) return null;
    const x = Math.floor((event.clientX - frame.left - box.left) / box.cellWidth);
    const y = box.rows - 1 - Math.floor((event.clientY - frame.top - box.top) / box.cellHeight);
    return x >= 0 && x < box.cols && y >= 0 && y < box.rows ? y * box.cols + x : null;
  }
  onKey(event) {
    const { cols, rows } = this.box, [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
    if (dx == null) return;
    event.preventDefault();
    if (this.lit == null) { this.light(0); return; }
    const x = Math.min(Math.max((this.lit % cols) + dx, 0), cols - 1), y = Math.min(Math.max(Math.floor(this.lit / cols) + dy, 0), rows - 1);
    this.light(y * cols + x);
  }
  light(cell) {
    this.lit = cell;
    const ring = this.plot.querySelector(".lit");
    ring?.setAttribute("visibility", cell == null ? "hidden" : "visible");
    this.readout.textContent = "";
    if (cell == null) { this.describe(); return; }
    const { grid, box } = this, x = cell % box.cols, y = Math.floor(cell / box.cols), [left, top] = this.corner(x, y);
    for (const [name, value] of Object.entries({ x: left, y: top, width: box.cellWidth, height: box.cellHeight })) ring.setAttribute(name, pixel(value));
    readoutItem(this.readout, grid.fields[grid.across].name, grid.fields[grid.across].texts[x]);
    if (grid.up != null) readoutItem(this.readout, grid.fields[grid.up].name, grid.fields[grid.up].texts[y]);
    this.tell(grid.rows(x, y), this.cells[cell]);
  }
  tell(rows, value) {
    const { grid } = this;
    for (const i of grid.others()) if (grid.held[i] !== EVERY) readoutItem(this.readout, grid.fields[i].name, grid.fields[i].texts[grid.held[i]]);
    if (rows.length === 1) {
      for (const metric of data.metrics) readoutItem(this.readout, metric.title, metricText(metric, metric.values[rows[0]]));
      return;
    }
    readoutItem(this.readout, `${this.metric.title}, ${this.pick} of ${rows.length}`, metricText(this.metric, value));
    const values = rows.map((row) => this.metric.values[row]).filter((each) => each != null);
    if (values.length) readoutItem(this.readout, "from", `${metricText(this.metric, Math.min(...values))} to ${metricText(this.metric, Math.max(...values))}`);
  }
  describe() {
    const { grid, box } = this, several = box && grid.rows(0, 0).length;
    if (!box) return;
    readoutItem(this.readout, several > 1 ? `Each cell: ${this.pick} of` : "Each cell:", several > 1 ? `${several} combinations` : "one combination");
    for (const i of grid.others()) readoutItem(this.readout, grid.fields[i].name, grid.held[i] === EVERY ? "all of them" : grid.fields[i].texts[grid.held[i]]);
  }
}

function indices_(list) { return list.map((_, i) => i); }

function drawSharpes() {
  const figure = figureOf("sharpes"), { edges, counts, bar, top } = data.sharpes;
  if (!figure) return;
  const total = counts.reduce((sum, n) => sum + n, 0), marks = [["expected best", bar], ["the best", top]].filter(([, value]) => value != null);
  const ends = [edges[0], edges[edges.length - 1], ...marks.map(([, value]) => value)], low = Math.min(...ends), high = Math.max(...ends), pad = (high - low) * 0.03;
  const most = Math.max(...counts);
  new PlainChart(figure, {
    x: [low - pad, high + pad], y: [0, most * 1.2], xTick: (value) => minus(String(value)), yTick: compactText,
    items: counts.map((n, i) => ({ x: (edges[i] + edges[i + 1]) / 2, texts: [
      [`${number2(edges[i])} to ${number2(edges[i + 1])}`, `${whole(n)} trials`], ["", `${percentText(1)(n / total)} of all`]] })),
    rest: [["All", `${whole(total)} trials`], ...marks.map(([label, value]) => [label, number2(value)])],
    body: (sx, sy, box) => counts.map((n, i) =>
      `<rect class="bar f-${bar != null && edges[i + 1] <= bar ? "hold" : "strategy"}" data-item="${i}" x="${pixel(sx(edges[i]) + 0.5)}" width="${pixel(Math.max(sx(edges[i + 1]) - sx(edges[i]) - 1, 0.5))}" y="${pixel(sy(n))}" height="${pixel(box.y[0] - sy(n))}"/>`).join("") +
      marks.map(([label, value], i) => markRule(label, pixel(sx(value)), box, i)).join(""),
  });
}

function markRule(label, x, box, line) {
  const end = x > box.x[1] - 90, y = box.y[1] + 12 + 15 * line;
  return `<line class="mark-rule" x1="${x}" x2="${x}" y1="${box.y[0]}" y2="${box.y[1]}"/><text class="rule-text" x="${end ? x - 5 : x + 5}" y="${y}" text-anchor="${end ? "end" : "start"}">${label}</text>`;
}

const mapForm = document.getElementById("map-form");
if (mapForm) new HeatMap(figureOf("map"), mapForm);
drawSharpes();
