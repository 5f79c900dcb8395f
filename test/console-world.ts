// For the tests of the console: a system whose overview a test changes as it needs.

import type { Finding } from "../core/domain/finding.ts";
import type { OverviewItem as Item, Overview } from "../core/domain/overview.ts";
import {
  gatewayReport,
  overviewOf,
  paymentsReport,
  workerReport,
} from "../core/domain/test-reports.ts";

export const FINDING: Finding = {
  ...{ code: "redis_away", level: "trouble", subject: "", what: "Redis does not answer" },
  affects: "everybody: orders are accepted up to a bound, and none is decided",
  next: "bring Redis back; whatever it has lost is rebuilt from the ledger",
  ...{ sinceMs: Date.now() - 90_000, anchor: "redis-does-not-answer" },
};

function item(sku: string, name: string, total: number, gone: number, unitsPerS: number): Item {
  const sold = Math.min(gone, total);
  const held = Math.min(total - sold, Math.ceil(unitsPerS * 2));
  const available = total - sold - held;
  const soldOutAtMs = unitsPerS > 0 ? Date.now() + (available / unitsPerS) * 1_000 : null;
  return {
    ...{ sku, name, total, available, releasing: 0, held, sold },
    ...{ unitsPerS, soldOutAtMs },
  };
}

/** A sale in full swing. Each call is a second later. */
export class World {
  change: (o: Overview) => Overview = (o) => o;
  workers = ["worker-1-e345a1f1", "worker-2-222b1ea9"];
  letters = 0;
  private seconds = 0;

  overview(): Overview {
    const n = this.seconds++;
    const nowMs = Date.now();
    const wave = (base: number, by: number) => Math.round(base + by * Math.sin(n / 5));
    const reports = this.workers.map((id, at) =>
      workerReport({
        ...{ id, loopDelayMs: 3, unrecorded: at * 2 },
        outcomes: { reserved: n * 300, sold_out: n * 40 },
        shards: [0, 1, 2, 3].map((shard) => ({
          ...{ shard: shard * 2 + at, load: shard, parked: 0 },
          regions: [
            {
              ...{ region: "eu", ready: 3, lookedAtMs: nowMs },
              lagMs: Math.abs(wave(40 + shard * 20, 30)),
            },
          ],
        })),
        ...(at === 0 ? { dead: this.dead(nowMs) } : {}),
      }),
    );
    const gateways = ["eu", "us"].map((region) =>
      gatewayReport({
        ...{ id: `${region}.gateway-${region}-c1b80ae6`, region, loopDelayMs: 2, sockets: 410 },
        publishing: { publishesTo: region, regions: [] },
        shards: [{ shard: 0, state: "open", pending: 44, limit: 4_000, waitMs: 90 }],
      }),
    );
    const roles = [
      ...gateways,
      ...reports,
      paymentsReport({ answers: { captured: 4_012, failed: 31 } }),
    ];
    const now = overviewOf({ atMs: nowMs });
    return this.change({
      ...now,
      shardCount: 8,
      owners: this.workers.flatMap((worker, at) =>
        [0, 1, 2, 3].map((shard) => ({ shard: shard * 2 + at, worker })),
      ),
      sales: [this.sale(n, nowMs)],
      ...{
        revenue: [
          { currency: "EUR", amount: 48_210_950 + n * 1_000 },
          { currency: "USD", amount: 12_998_000 },
        ],
      },
      ...{ roles, dead: this.dead(nowMs), rates: { pairs: 12, newestAtMs: nowMs - 9_000 } },
      ratesWaiting: null,
      orders: {
        ...{ overMs: 4_000, accepted: wave(720, 160), decided: wave(700, 150), shed: 0 },
        byOutcome: { reserved: wave(560, 120), sold_out: wave(92, 40), over_limit: 6 },
        ...{ soldOut: wave(92, 40), rejected: 6, refused: { sold_out: 40 } },
      },
      flow: {
        steps: [
          { step: "gateway", perS: wave(720, 160), waitMs: 10, waiting: 44 },
          { step: "queue", perS: wave(720, 160), waitMs: 95, waiting: 68 },
          { step: "decider", perS: wave(700, 150), waitMs: 4, waiting: 21 },
          { step: "ledger", perS: wave(700, 150), waitMs: 12, waiting: 9 },
          { step: "payments", perS: wave(410, 60), waitMs: 1_840, waiting: 733 },
          { step: "services", perS: wave(402, 60), waitMs: null, waiting: 5 },
        ],
        bottleneck: "payments",
      },
    });
  }

  private dead(nowMs: number): Overview["dead"] {
    const sinceMs = this.letters > 0 ? nowMs - 480_000 : null;
    const of = { region: "eu", atMs: nowMs, sinceMs };
    return [
      { ...of, queue: "payments.dead", messages: this.letters },
      { ...of, queue: "orders.dead", messages: 0, sinceMs: null },
    ];
  }

  private sale(n: number, nowMs: number): Overview["sales"][number] {
    return {
      ...{ id: "autumn", name: "Autumn sale", stockAsOfMs: nowMs },
      ...{ opensAtMs: nowMs - 840_000, closesAtMs: nowMs + 6_300_000 },
      revenue: [{ currency: "EUR", amount: 31_004_450 + n * 900 }],
      items: [
        item("lamp", "Brass lamp", 3_000, 3_000, 0),
        item("clock", "Wall clock", 15_500, 2_413 + n * 31, 31),
        item("sofa", "Sofa, two seats", 10_500, 3_087 + n * 18, 18.4),
        item("desk", "Oak desk", 8_000, 3_508 + n * 12, 12),
        item("rug", "Wool rug", 13_000, 2_665 + n * 7, 7.1),
        item("chair", "Chair", 5_500, 4_381 + n * 22, 22),
      ],
    };
  }
}
