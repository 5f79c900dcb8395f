// The last minutes, for the charts. What was unknown is a gap, never zero.
const KEPT = 600;

const READ = {
  accepted: ({ orders }) => orders.accepted,
  reserved: ({ orders }) => orders.byOutcome.reserved ?? (orders.decided === null ? null : 0),
  soldOut: ({ orders }) => orders.soldOut,
  rejected: ({ orders }) => orders.rejected,
  shed: ({ orders }) => orders.shed,
  worst: ({ shards }) => (shards.length > 0 ? Math.max(...shards.map((s) => s.lagMs)) : null),
  median: ({ shards }) => median(shards.map((s) => s.lagMs)),
};

export class History {
  times = [];
  lines = Object.fromEntries(Object.keys(READ).map((name) => [name, []]));

  clear() {
    for (const list of [this.times, ...Object.values(this.lines)]) list.length = 0;
  }

  /** A chart needs times that increase: after a clock was set back, it starts empty. */
  add(atMs, known) {
    const lastMs = (this.times.at(-1) ?? 0) * 1_000;
    if (atMs === lastMs) return;
    if (atMs < lastMs) this.clear();
    const fresh = ({ why, value }) => (why === "" ? value : undefined);
    const now = { orders: fresh(known.orders), shards: fresh(known.shards) };
    this.times.push(atMs / 1_000);
    for (const [name, read] of Object.entries(READ)) this.lines[name].push(readOr(read, now));
    if (this.times.length > KEPT)
      for (const list of [this.times, ...Object.values(this.lines)]) list.shift();
  }
}

function readOr(read, now) {
  try {
    return read(now) ?? null;
  } catch {
    return null; // the part is unknown
  }
}

function median(list) {
  if (list.length === 0) return null;
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
}
