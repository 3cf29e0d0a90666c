const data = JSON.parse(document.getElementById("report-data").textContent);
const figureOf = (name) => document.querySelector(`[data-chart="${name}"]`);
const whole = numberText(0), percent1 = percentText(1), percent2 = percentText(2);
const tickPercent = (value) => minus(String(+(100 * value).toFixed(2))) + "%";

function drawTimeCharts() {
  const times = unpackGrid(data.curves), trades = data.trades, curves = {};
  for (const [name, curve] of Object.entries(data.curves)) if (curve?.deltas) curves[name] = unpackCurve(curve);
  curves.hold = curves.close.map((close) => close * data.curves.hold_per_close);
  const view = new TimeWindow(times[0], Math.max(times[times.length - 1], times[0] + 6 * HOUR));
  const money = (value) => `${whole(value)} ${data.currency}`;
  const stopRule = (chart, box) => {
    if (data.kill_switch == null) return "";
    const x = pixel(chart.sx(data.kill_switch));
    return `<line class="mark-rule" x1="${x}" x2="${x}" y1="${box.y[0]}" y2="${box.y[1]}"/><text x="${x + 6}" y="${box.y[0] - 6}">kill switch</text>`;
  };
  const level = (value) => (chart, box) => { const y = pixel(chart.sy(value)); return `<line class="zero" x1="${box.x[0]}" x2="${box.x[1]}" y1="${y}" y2="${y}"/>`; };
  const equity = new TimeChart(figureOf("equity"), view, {
    times, format: money, tick: compactText,
    series: [
      { name: "Buy and hold", values: curves.hold, line: "hold", colour: "hold" },
      ...(curves.at_zero_cost ? [{ name: "At zero cost", values: curves.at_zero_cost, line: "free", colour: "free", style: "dotted" }] : []),
      { name: "As deployed", values: curves.deployed, line: "deployed", colour: "deployed", style: "dashed" },
      { name: "Strategy", values: curves.strategy, line: "strategy", colour: "strategy" },
    ],
    under: (chart, box) => level(data.initial_cash)(chart, box) + stopRule(chart, box),
  });
  new TimeChart(figureOf("drawdown"), view, {
    times, format: percent1, tick: tickPercent, top: 0,
    series: [
      { name: "Buy and hold", values: curves.hold_drawdown, line: "hold", colour: "hold" },
      { name: "Strategy", values: curves.drawdown, line: "strategy", area: "strategy", colour: "strategy" },
    ],
  });
  const price = new TimeChart(figureOf("price"), view, {
    times, format: significantText, tick: compactText,
    series: [{ name: "Close", values: curves.close, line: "price", colour: "price" }],
    under: gapBands, over: (chart) => tradeMarks(chart, trades), note: (at) => tradeNote(at, trades),
  });
  const { sharpe, lower, upper } = data.rolling, days = sharpe.length ? unpackGrid(data.rolling) : [times[0]], two = numberText(2);
  new TimeChart(figureOf("rolling"), view, {
    times: days, format: two, tick: (value) => minus(String(value)),
    series: [
      { values: lower, low: lower, high: upper, area: "strategy" }, { values: upper },
      { name: sharpe.length ? "Sharpe ratio" : "Fewer than 90 days", values: sharpe, line: "strategy", colour: "strategy" },
      { name: sharpe.length ? "lower" : "", values: lower }, { name: sharpe.length ? "upper" : "", values: upper },
    ],
    under: level(0),
  });
  rangeButtons(view);
  document.getElementById("log-scale").addEventListener("change", (event) => {
    equity.log = price.log = event.target.checked;
    equity.draw();
    price.draw();
  });
  return view;
}

function gapBands(chart, box) {
  return data.gaps.map(([from, to]) => {
    const x = chart.sx(from), width = Math.max(chart.sx(to) - x, 1.5);
    return `<rect class="gap" x="${pixel(x)}" width="${pixel(width)}" y="${box.y[1]}" height="${box.y[0] - box.y[1]}"/>`;
  }).join("");
}

function tradeMarks(chart, trades) {
  const [from, to] = chart.window.range, paths = { gain: "", loss: "" }, ends = { gain: "", loss: "" };
  let shown = 0;
  const first = lowerBound(trades.exit_time, from);
  for (let i = first; i < trades.exit_time.length && trades.entry_time[i] <= to; i++) {
    const kind = trades.pnl[i] > 0 ? "gain" : "loss";
    const [x1, y1, x2, y2] = [chart.sx(trades.entry_time[i]), chart.sy(trades.entry_price[i]), chart.sx(trades.exit_time[i]), chart.sy(trades.exit_price[i])].map(pixel);
    paths[kind] += `M${x1} ${y1}L${x2} ${y2}`;
    ends[kind] += `M${x1} ${y1 + 2}l5 9h-10zM${x2} ${y2 - 2}l5 -9h-10z`;
    shown++;
  }
  return ["loss", "gain"].map((kind) =>
    `<path class="curve s-${kind}" stroke-linecap="round" style="stroke-width:${shown > 400 ? 2 : 2.6}" d="${paths[kind]}"/>` +
    (shown <= 120 ? `<path class="f-${kind}" d="${ends[kind]}"/>` : "")).join("");
}

function tradeNote(at, trades) {
  if (at == null) return trades.total ? ["Trades", whole(trades.total)] : null;
  const i = lowerBound(trades.exit_time, at);
  if (i >= trades.exit_time.length || trades.entry_time[i] > at) return ["", "not invested"];
  return [`Bought ${dateTime(trades.entry_time[i])}, sold ${dateTime(trades.exit_time[i])}`, percent2(trades.return[i])];
}

function rangeButtons(view) {
  const buttons = [...document.querySelectorAll("[data-days]")];
  const press = () => {
    const days = Math.round((view.range[1] - view.range[0]) / DAY), all = view.range[1] - view.range[0] >= view.full[1] - view.full[0];
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(+button.dataset.days ? !all && +button.dataset.days === days : all)));
  };
  view.listeners.push({ draw: press, showCursor: () => {} });
  buttons.forEach((button) => button.addEventListener("click", () => {
    const days = +button.dataset.days, end = view.range[1];
    if (days) view.set(end - days * DAY, end); else view.reset();
  }));
  document.querySelectorAll("[data-shift]").forEach((button) => button.addEventListener("click", () => view.shift(+button.dataset.shift)));
}

function drawBars(name, histogram, xTick, kindOf, rules, unit) {
  const figure = figureOf(name), { edges, counts } = histogram, total = counts.reduce((a, b) => a + b, 0);
  if (!figure || !counts.length) { if (figure) figure.hidden = true; return; }
  new PlainChart(figure, {
    x: [edges[0], edges[edges.length - 1]], y: [0, Math.max(...counts) * 1.05], xTick, yTick: compactText,
    items: counts.map((n, i) => ({ x: (edges[i] + edges[i + 1]) / 2, texts: [
      [rangeText(histogram, i), `${whole(n)} ${unit}`], ["", `${percent1(n / total)} of all`]] })),
    rest: [["All", `${whole(total)} ${unit}`], ...rules.map(([label, value]) => [label, percent1(value)])],
    body: (sx, sy, box) => counts.map((n, i) =>
      `<rect class="bar f-${kindOf((edges[i] + edges[i + 1]) / 2)}" data-item="${i}" x="${pixel(sx(edges[i]) + 0.5)}" width="${pixel(Math.max(sx(edges[i + 1]) - sx(edges[i]) - 1, 0.5))}" y="${pixel(sy(n))}" height="${pixel(box.y[0] - sy(n))}"/>`).join("") +
      rules.filter(([, value]) => value >= edges[0] && value <= edges[edges.length - 1]).map(([, value]) =>
        `<line class="mark-rule" x1="${pixel(sx(value))}" x2="${pixel(sx(value))}" y1="${box.y[0]}" y2="${box.y[1]}"/>`).join(""),
  });
}

function rangeText({ edges, counts, open_ends: open }, i) {
  const low = percent2(edges[i]), high = percent2(edges[i + 1]);
  if (open && i === 0) return `${high} or less`;
  if (open && i === counts.length - 1) return `${low} or more`;
  return `${low} to ${high}`;
}

function drawReliability() {
  const r = data.reliability, figure = figureOf("reliability"), bins = r.n.map((_, i) => i).filter((i) => r.n[i] > 0 && r.observed_rate[i] != null);
  if (!bins.length) { figure.hidden = true; return; }
  const all = bins.flatMap((i) => [r.mean_probability[i], r.observed_rate[i], r.rate_lower[i] ?? r.observed_rate[i], r.rate_upper[i] ?? r.observed_rate[i]]);
  const pad = (Math.max(...all) - Math.min(...all)) * 0.06 || 0.02;
  const low = Math.max(Math.min(...all) - pad, 0), high = Math.min(Math.max(...all) + pad, 1), most = Math.max(...r.n);
  new PlainChart(figure, {
    x: [low, high], y: [low - (high - low) * 0.22, high], xTick: tickPercent, yTick: (value) => (value < low ? "" : tickPercent(value)),
    items: bins.map((i) => ({ x: r.mean_probability[i], texts: [
      ["Predicted", percent2(r.mean_probability[i])], ["observed", percent2(r.observed_rate[i])],
      ["bounds", `${percent1(r.rate_lower[i])} to ${percent1(r.rate_upper[i])}`], ["hours", whole(r.n[i])]] })),
    rest: [["Across:", "predicted"], ["up:", "observed"]],
    body: (sx, sy, box) =>
      `<line class="zero" x1="${sx(low)}" y1="${sy(low)}" x2="${sx(high)}" y2="${sy(high)}"/>` +
      bins.map((i, k) => {
        const x = pixel(sx(r.mean_probability[i])), height = (box.y[0] - sy(low)) * 0.85 * r.n[i] / most;
        return `<rect class="bar f-hold" data-item="${k}" x="${x - 4}" width="8" y="${pixel(box.y[0] - height)}" height="${pixel(height)}"/>` +
          (r.rate_lower[i] == null ? "" : `<line class="s-strategy" stroke-width="1.6" x1="${x}" x2="${x}" y1="${pixel(sy(r.rate_lower[i]))}" y2="${pixel(sy(r.rate_upper[i]))}"/>`) +
          `<circle class="dot f-strategy" cx="${x}" cy="${pixel(sy(r.observed_rate[i]))}" r="4.5"/>`;
      }).join(""),
  });
}

function drawRoc() {
  const { x, y } = data.roc, figure = figureOf("roc");
  if (!x.length) { figure.hidden = true; return; }
  new PlainChart(figure, {
    x: [0, 1], y: [0, 1], xTick: tickPercent, yTick: tickPercent,
    items: x.map((value, i) => ({ x: value, texts: [["Mistaken", percent1(value)], ["found", percent1(y[i])]] })),
    rest: [["Across:", "mistaken"], ["up:", "found"]],
    body: (sx, sy) => `<line class="zero" x1="${sx(0)}" y1="${sy(0)}" x2="${sx(1)}" y2="${sy(1)}"/>` +
      `<path class="curve s-strategy" d="${x.map((value, i) => `${i ? "L" : "M"}${pixel(sx(value))} ${pixel(sy(y[i]))}`).join("")}"/>`,
  });
}

// One count of decimals for all that stands below each other: six digits for the largest.
function evenText(...columns) {
  const largest = columns.flat().reduce((top, value) => Math.max(top, Math.abs(value ?? 0)), 0);
  return numberText(largest > 0 ? Math.min(Math.max(5 - Math.floor(Math.log10(largest)), 0), 10) : 0);
}

const quantityText = evenText(data.trades.quantity), priceText = evenText(data.trades.entry_price, data.trades.exit_price);
const TRADE_COLUMNS = [
  ["entry_time", "Entered", dateTime], ["exit_time", "Left", dateTime],
  ["holding", "Held", (minutes) => (minutes < 2 * DAY ? `${whole(minutes / HOUR)} h` : `${numberText(1)(minutes / DAY)} d`)],
  ["return", "Return", percent2], ["pnl", "Profit", numberText(2)], ["fees", "Fees", numberText(2)],
  ["quantity", "Quantity", quantityText], ["entry_price", "Entry price", priceText], ["exit_price", "Exit price", priceText],
];

class TradeTable {
  constructor(trades, view) {
    Object.assign(this, { trades, view, page: 0, size: 25, sort: "entry_time", descending: true });
    trades.holding = trades.exit_time.map((exit, i) => exit - trades.entry_time[i]);
    this.form = document.getElementById("trade-filters");
    this.body = document.querySelector("#trade-table tbody");
    this.headings = TRADE_COLUMNS.map(([key, title]) => this.heading(key, title));
    document.querySelector("#trade-table thead tr").append(...this.headings.map(([cell]) => cell));
    this.form.addEventListener("input", () => this.show(0));
    this.form.addEventListener("reset", () => setTimeout(() => this.show(0)));
    this.form.addEventListener("submit", (event) => event.preventDefault());
    document.getElementById("trade-previous").addEventListener("click", () => this.show(this.page - 1));
    document.getElementById("trade-next").addEventListener("click", () => this.show(this.page + 1));
    this.show(0);
  }
  heading(key, title) {
    const cell = document.createElement("th"), button = document.createElement("button");
    cell.scope = "col";
    button.type = "button";
    button.addEventListener("click", () => {
      this.descending = this.sort === key ? !this.descending : true;
      this.sort = key;
      this.show(0);
    });
    cell.append(button);
    return [cell, button, key, title];
  }
  selected() {
    const { trades, form } = this, wanted = form.outcome.value, text = form.text.value.trim();
    const from = form.from.value ? Date.parse(form.from.value) / 60000 : -Infinity;
    const until = form.until.value ? Date.parse(form.until.value) / 60000 + DAY : Infinity;
    const rows = [];
    for (let i = 0; i < trades.pnl.length; i++) {
      if ((wanted === "winners" && !(trades.pnl[i] > 0)) || (wanted === "losers" && !(trades.pnl[i] <= 0))) continue;
      if (trades.entry_time[i] < from || trades.entry_time[i] >= until) continue;
      if (text && !TRADE_COLUMNS.some(([key, , format]) => format(trades[key][i]).includes(text))) continue;
      rows.push(i);
    }
    const values = trades[this.sort], sign = this.descending ? -1 : 1;
    return rows.sort((a, b) => sign * ((values[a] ?? -Infinity) - (values[b] ?? -Infinity)) || a - b);
  }
  show(page) {
    const rows = this.selected(), last = Math.max(Math.ceil(rows.length / this.size) - 1, 0);
    this.page = Math.min(Math.max(page, 0), last);
    for (const [cell, button, key, title] of this.headings) {
      const active = key === this.sort;
      if (active) cell.setAttribute("aria-sort", this.descending ? "descending" : "ascending"); else cell.removeAttribute("aria-sort");
      button.textContent = active ? `${title} ${this.descending ? "↓" : "↑"}` : title;
    }
    this.body.replaceChildren(...rows.slice(this.page * this.size, (this.page + 1) * this.size).map((i) => this.row(i)));
    this.summarize(rows);
    document.getElementById("trade-page").textContent = `Page ${this.page + 1} of ${last + 1}`;
    document.getElementById("trade-previous").disabled = this.page === 0;
    document.getElementById("trade-next").disabled = this.page === last;
  }
  row(i) {
    const row = document.createElement("tr"), kind = this.trades.pnl[i] > 0 ? "gain-text" : "loss-text";
    TRADE_COLUMNS.forEach(([key, , format], column) => {
      const cell = document.createElement("td"), text = format(this.trades[key][i]);
      if (key === "pnl" || key === "return") cell.className = kind;
      if (column) cell.textContent = text; else cell.append(this.showButton(i, text));
      row.append(cell);
    });
    return row;
  }
  showButton(i, text) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.title = "Show on the price chart";
    button.addEventListener("click", () => {
      this.view.set(this.trades.entry_time[i] - 3 * DAY, this.trades.exit_time[i] + 3 * DAY);
      this.view.point(this.trades.entry_time[i]);
      figureOf("price").scrollIntoView({ block: "center" });
    });
    return button;
  }
  summarize(rows) {
    const { trades } = this, sum = (key) => rows.reduce((total, i) => total + (trades[key][i] ?? 0), 0);
    const wins = rows.filter((i) => trades.pnl[i] > 0).length;
    document.getElementById("trade-summary").textContent = rows.length
      ? `${whole(rows.length)} of ${whole(trades.total)} trades, ${percent1(wins / rows.length)} winners, profit ${whole(sum("pnl"))} ${data.currency} after ${whole(sum("fees"))} ${data.currency} of fees, mean return ${percent2(sum("return") / rows.length)}.`
      : "No trade matches.";
  }
}

function explainTerms() {
  const tip = document.getElementById("tip");
  const hide = () => { tip.hidden = true; };
  const show = (button) => {
    tip.textContent = document.getElementById(button.getAttribute("aria-describedby")).textContent;
    tip.hidden = false;
    const at = button.getBoundingClientRect(), room = document.documentElement.clientWidth - tip.offsetWidth - 16;
    const above = at.top > tip.offsetHeight + 60 ? at.top - tip.offsetHeight - 8 : at.bottom + 8;
    tip.style.left = `${Math.max(Math.min(at.left, room), 16) + window.scrollX}px`;
    tip.style.top = `${above + window.scrollY}px`;
  };
  document.querySelectorAll(".term").forEach((button) => {
    button.removeAttribute("title");
    for (const event of ["mouseenter", "focus", "click"]) button.addEventListener(event, () => show(button));
    for (const event of ["mouseleave", "blur"]) button.addEventListener(event, hide);
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
}

const view = drawTimeCharts();
drawReliability();
drawRoc();
drawBars("probabilities", data.probabilities, tickPercent, () => "strategy", data.thresholds, "hours");
drawBars("trade_returns", data.trade_returns, tickPercent, (value) => (value > 0 ? "gain" : "loss"), [], "trades");
if (document.getElementById("trade-table")) new TradeTable(data.trades, view);
explainTerms();
