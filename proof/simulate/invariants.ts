// What must hold at every moment of a simulation, whatever is broken. It is checked about once a
// simulated second, so each check is cheap; everything else is judged at the end (judge.ts).
import type { Db } from "../../ledger/db.ts";
import type { RedisView } from "../verify/look.ts";

interface Place {
  readonly epoch: number;
  readonly n: number;
}

export class Invariants {
  private readonly broken = new Set<string>();
  private readonly places = new Map<number, Place>();
  private incarnation = 0;

  constructor(
    private readonly db: Db,
    private readonly redis: RedisView,
    private readonly saleId: string,
  ) {}

  /** Each rule that was broken at some look. */
  get violations(): string[] {
    return [...this.broken];
  }

  async look(): Promise<void> {
    await this.redisStock();
    await this.ledgerStock();
    await this.ledgerGoesOn();
    await this.openRequests();
  }

  /** How often Redis has been rebuilt. */
  async rebuilds(): Promise<number> {
    return Number((await this.db.run("SELECT COUNT(*) AS made FROM rebuilds"))[0]?.made);
  }

  /** The ledger was restored from a backup: it may have less than before. */
  wentBack(): void {
    this.places.clear();
    this.incarnation = 0;
  }

  private async redisStock(): Promise<void> {
    const stock = await this.redis.stock(this.saleId);
    for (const [sku, { available, releasing, held, sold, total }] of stock ?? []) {
      const units = [available, releasing, held, sold];
      const shown = `${sku}: ${units.join(" + ")} of ${total}`;
      if (units.some((n) => n < 0)) this.broken.add(`I5 Redis has units below zero: ${shown}`);
      if (units.reduce((sum, n) => sum + n, 0) !== total)
        this.broken.add(`I5 Redis's units do not add up: ${shown}`);
    }
  }

  private async ledgerStock(): Promise<void> {
    const rows = await this.db.run(
      `SELECT sku FROM items WHERE available < 0 OR releasing < 0 OR held < 0 OR sold < 0
       OR available + releasing + held + sold <> initial + restocked - corrected`,
    );
    for (const { sku } of rows) this.broken.add(`I5 the ledger's units do not add up: ${sku}`);
  }

  /** Without an operator, nothing that the ledger has confirmed disappears later. */
  private async ledgerGoesOn(): Promise<void> {
    const rows = await this.db.run("SELECT shard, epoch, last_n FROM shards");
    for (const row of rows) {
      const [shard, epoch, n] = [Number(row.shard), Number(row.epoch), Number(row.last_n)];
      const before = this.places.get(shard);
      if (before && (n < before.n || epoch < before.epoch))
        this.broken.add(`I1 the ledger of shard ${shard} went back`);
      this.places.set(shard, { epoch, n });
    }
    const [store] = await this.db.run("SELECT incarnation FROM store");
    const incarnation = Number(store?.incarnation);
    if (incarnation < this.incarnation) this.broken.add("I1 the incarnation went back");
    this.incarnation = incarnation;
  }

  /**
   * An attempt whose request is put off has one, however often an operator asks again. If an older
   * copy's answer begins another obligation, the request of the former one is never published.
   */
  private async openRequests(): Promise<void> {
    const rows = await this.db.run(
      `SELECT body FROM follow_ups WHERE done = 0 AND due_ms > ?
       AND exchange = '' AND routing_key = 'payments'`,
      [this.db.runtime.wallMs()],
    );
    const open = new Map<string, number>();
    for (const { body } of rows)
      for (const request of requestsIn(String(body)))
        open.set(request, (open.get(request) ?? 0) + 1);
    for (const [request, count] of open)
      if (count > 1) this.broken.add(`I11 an attempt has several open requests: ${request}`);
  }
}

function requestsIn(body: string): string[] {
  const requests = JSON.parse(body) as Record<string, unknown>[];
  return requests.map(
    ({ user, id, generation, attempt, kind, sinceMs }) =>
      `${[user, id, generation, attempt].join("/")}, ${kind} since ${sinceMs}`,
  );
}
