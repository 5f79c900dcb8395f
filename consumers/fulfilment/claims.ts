// A service's claims and reports on their way to the shards that own the orders, and the answers back. Rows are gathered per shard, as a
// gateway does it; the answer to a message comes to the service's own exclusive queue once the ledger has it. Answers are best effort: what
// has none is asked again, which changes nothing.
import { Subscription } from "../../broker/subscriber.ts";
import { CLAIMS_EXCHANGE, ordersKey } from "../../broker/topology.ts";
import { type Part, partRowText } from "../../core/domain/part.ts";
import { gatewayQueue, type Push } from "../../core/domain/push.ts";
import type { RegionLink } from "../relay.ts";

/** What a shard says of a claim or report, without the sign that says whether it is news; `+done` and `=done` are both `done`. */
export type ClaimWord = string;

interface Ask {
  readonly row: string;
  readonly answer: (word: ClaimWord) => void;
}

interface Lane {
  asks: Ask[];
  busy: boolean;
}

const GATHER_MS = 20;
const MAX_ROWS = 200;
const RETRY_MS = 200;
/** Above the time a busy shard takes; an answer that comes later still counts. */
const ANSWER_TIMEOUT_MS = 10_000;

export class Claims {
  private readonly lanes = new Map<number, Lane>();
  private readonly sent = new Map<
    string,
    { asks: readonly Ask[]; timer: ReturnType<typeof setTimeout> }
  >();
  private readonly pushes: Subscription[] = [];
  private stopped = false;
  private serial = 0;

  constructor(
    private readonly regions: readonly RegionLink[],
    /** Names the queue of the answers; no two processes share one. */
    private readonly id: string,
  ) {}

  async start(): Promise<void> {
    for (const { connection } of this.regions) {
      const subscription = new Subscription(connection, {
        queue: gatewayQueue(this.id),
        prefetch: 0,
        exclusive: true,
        noAck: true,
        handler: ({ body }) => this.heard(JSON.parse(body.toString()) as Push),
      });
      this.pushes.push(subscription);
      if (connection.up) await subscription.start();
      else void subscription.start();
    }
  }

  /** Settles with the shard's word once the ledger has it; never after stop(). */
  ask(part: Part, word: "claim" | "done", service: string): Promise<ClaimWord> {
    const lane = this.lanes.get(part.shard) ?? { asks: [], busy: false };
    this.lanes.set(part.shard, lane);
    const { promise, resolve } = Promise.withResolvers<ClaimWord>();
    lane.asks.push({ row: partRowText(part, word, service, Date.now()), answer: resolve });
    if (!lane.busy) void this.run(part.shard, lane);
    return promise;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    for (const { timer } of this.sent.values()) clearTimeout(timer);
    await Promise.all(this.pushes.map((p) => p.close()));
  }

  private async run(shard: number, lane: Lane): Promise<void> {
    lane.busy = true;
    while (lane.asks.length > 0 && !this.stopped) {
      await Bun.sleep(GATHER_MS);
      const asks = lane.asks.splice(0, MAX_ROWS);
      const batch = `${++this.serial}`;
      // Known before it is sent: its answer may be here before its confirm.
      this.expect(shard, batch, asks);
      const link = this.regions.find((r) => r.publisher.ready);
      const body = Buffer.from(`[${asks.map((a) => a.row).join(",")}]`);
      const properties = { messageId: batch, appId: this.id, type: "orders.v1" };
      const outcome = await link?.publisher.publish(
        CLAIMS_EXCHANGE,
        ordersKey(shard),
        body,
        properties,
      );
      if (outcome === "confirmed") continue;
      this.again(shard, batch);
      await Bun.sleep(RETRY_MS);
    }
    lane.busy = false;
  }

  private expect(shard: number, batch: string, asks: readonly Ask[]): void {
    this.sent.set(batch, {
      asks,
      timer: setTimeout(() => this.again(shard, batch), ANSWER_TIMEOUT_MS),
    });
  }

  private again(shard: number, batch: string): void {
    const sent = this.sent.get(batch);
    if (!sent || this.stopped) return;
    this.sent.delete(batch);
    clearTimeout(sent.timer);
    const lane = this.lanes.get(shard) as Lane;
    lane.asks.unshift(...sent.asks);
    if (!lane.busy) void this.run(shard, lane);
  }

  private heard({ batches }: Push): void {
    for (const [batch, outcomes] of batches) {
      const sent = this.sent.get(batch);
      if (!sent) continue;
      this.sent.delete(batch);
      clearTimeout(sent.timer);
      const words = outcomes.split(",");
      sent.asks.forEach((ask, i) => {
        ask.answer((words[i] ?? "").slice(1));
      });
    }
  }
}
