// Three charts of the last five minutes, by uPlot: orders per second, lag per shard, units left per
// item.
const KEPT = 300;
const HEIGHT = 170;
const COLOURS = [
  "#5b9bff",
  "#3fb97b",
  "#f26d63",
  "#e0a13a",
  "#b08cff",
  "#4cc4d0",
  "#d977b8",
  "#9aa86b",
  "#c28f6a",
  "#7f8ea3",
];
/** More lines would be unreadable. */
const MAX_LINES = 10;

class Chart {
  constructor(id, unit) {
    this.box = document.querySelector(id);
    this.unit = unit;
    this.names = [];
    this.times = [];
    this.lines = [];
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.box);
  }

  /** Adds one point in time: values by name. */
  add(atMs, values) {
    const names = Object.keys(values).slice(0, MAX_LINES);
    if (names.join() !== this.names.join()) this.restart(names);
    this.times.push(atMs / 1000);
    for (const [i, name] of names.entries()) this.lines[i].push(values[name]);
    if (this.times.length > KEPT) for (const list of [this.times, ...this.lines]) list.shift();
    this.plot.setData([this.times, ...this.lines]);
  }

  size() {
    return { width: Math.max(200, this.box.clientWidth), height: HEIGHT };
  }

  restart(names) {
    const old = new Map(this.names.map((name, i) => [name, this.lines[i]]));
    this.names = names;
    this.lines = names.map((name) => old.get(name) ?? this.times.map(() => null));
    this.plot?.destroy();
    // A canvas cannot use the page's CSS variables, so take the computed colour.
    const stroke = getComputedStyle(document.querySelector("#age")).color;
    const axis = { stroke, grid: { stroke: "#8883", width: 1 }, ticks: { show: false } };
    const series = names.map((label, i) => ({
      label,
      stroke: COLOURS[i % COLOURS.length],
      width: 1.5,
      points: { show: false },
      value: (_, v) => (v == null ? "–" : this.unit(v)),
    }));
    const values = (_, splits) => splits.map((v) => this.unit(v));
    this.plot = new uPlot(
      {
        ...this.size(),
        series: [{ label: "time" }, ...series],
        axes: [axis, { ...axis, size: 58, values }],
        scales: {
          y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(1, (high ?? 0) * 1.1)] },
        },
        cursor: { y: false },
        legend: { live: false },
      },
      [this.times, ...this.lines],
      this.box,
    );
  }
}

export function makeCharts({ count, time }) {
  const orders = new Chart("#chart-orders", count);
  const lag = new Chart("#chart-lag", time);
  const stock = new Chart("#chart-stock", count);
  return (look, f) => {
    orders.add(look.atMs, {
      accepted: f.acceptedPerS,
      decided: f.decidedPerS,
      refused: f.refusedPerS,
    });
    const lags = {};
    for (const s of f.shards) lags[s.shard] = Math.max(lags[s.shard] ?? 0, s.lagMs);
    lag.add(look.atMs, lags);
    const many = look.sales.length > 1;
    const items = look.sales.flatMap((sale) =>
      sale.items.map((item) => ({ ...item, name: many ? `${sale.id} · ${item.sku}` : item.sku })),
    );
    const largest = items.sort((a, b) => b.total - a.total).slice(0, MAX_LINES);
    stock.add(look.atMs, Object.fromEntries(largest.map((item) => [item.name, item.available])));
  };
}
