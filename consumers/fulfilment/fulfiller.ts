// A fulfilment service: consumes the parts of paid orders, claims each before working on it, and
// reports it done. Several processes of one service share its queue.
//
//  1. A message is acknowledged when the ledger has the fate of all its parts.
//  2. A part whose work fails is put off (`later`): the ledger asks again after a growing wait.
//     After a day of failures it goes to the parts without a route, for an operator.
//  3. Parts left by a process that died go to another process of the same service, which claims
//     them again: repeating the work under the part's key (partKey) must be harmless.
import { declareQueue } from "../../broker/declare.ts";
import { type Delivery, type Disposition, Subscription } from "../../broker/subscriber.ts";
import { CLAIMS_EXCHANGE, serviceQueue, UNROUTED } from "../../broker/topology.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import {
  PARTS_TYPE,
  type Part,
  type PartWord,
  partKey,
  partKeyOf,
} from "../../core/domain/part.ts";
import { partRow } from "../../core/domain/row.ts";
import type { SpanRecorder } from "../../core/metrics/spans.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { Competing } from "../governor/competing.ts";
import type { Governing } from "../governor/governing.ts";
import type { RegionLink } from "../orders/relay.ts";
import { RowLanes, Undelivered } from "../orders/row-lanes.ts";
import { readParts } from "./read-parts.ts";

export interface FulfillerOptions {
  readonly runtime: Runtime;
  readonly service: string;
  /** Names this process's answer queue. */
  readonly id: string;
  readonly regions: readonly RegionLink[];
  readonly shards: number;
  /** Does the work. May be called again for a part whose completion was not recorded. */
  readonly work: (part: Part) => Promise<void>;
  readonly spans?: SpanRecorder | undefined;
  readonly governing?: Governing | undefined;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

/** Messages in flight, per region; each holds up to 20 parts. */
const PREFETCH = 32;
/** Longer work counts as failed: it is put off, and may be done twice under its key. */
const WORK_MAX_MS = 600_000;
/** A part that has failed for this long is left to an operator. */
const GIVE_UP_MS = 86_400_000;

export class Fulfiller {
  private readonly lanes: RowLanes;
  private readonly competing: Competing;
  private underWay = 0;
  private stopped = false;
  /** Parts done, refused (not ours to work on), put off, and given up to an operator. */
  readonly counts = { done: 0, refused: 0, putOff: 0, givenUp: 0 };

  constructor(private readonly options: FulfillerOptions) {
    const { runtime, regions, shards, governing } = options;
    const lanes = { runtime, id: answersId(options), regions, shards, exchange: CLAIMS_EXCHANGE };
    this.lanes = new RowLanes(lanes);
    this.competing = new Competing({
      runtime,
      regions,
      governing,
      subscribe: (link) => this.subscribe(link),
      idle: () => this.underWay === 0,
    });
  }

  async start(): Promise<void> {
    await this.lanes.listen();
    await this.competing.start();
  }

  /**
   * Quiet, then stop: parts in flight may finish within `graceMs`; the rest go back to the queue.
   */
  async stop(graceMs = 5_000): Promise<void> {
    await this.competing.quiet(graceMs);
    this.stopped = true;
    await this.lanes.stop();
    await this.competing.close();
  }

  private async subscribe(link: RegionLink): Promise<Subscription> {
    const queue = serviceQueue(this.options.service);
    const { consuming } = link;
    await consuming.attach((model) =>
      declareQueue(this.options.runtime, model, queue, consuming.region),
    );
    return new Subscription(consuming, {
      queue: queue.name,
      prefetch: PREFETCH,
      independent: true,
      dead: { publisher: link.publisher, queue: UNROUTED, exchange: UNROUTED },
      handler: (delivery, settle) =>
        void this.competing.work(() => this.accept(link, delivery, settle)),
    });
  }

  private async accept(
    link: RegionLink,
    { body }: Delivery,
    settle: (disposition: Disposition) => void,
  ): Promise<void> {
    const parts = readParts(body, this.options.shards);
    if (!parts) return settle({ kind: "dead", reason: "not a list of parts (fulfilment.v1)" });
    this.underWay++;
    const done = await Promise.all(parts.map((part) => this.finish(link, part)));
    this.underWay--;
    if (this.stopped) return;
    if (done.every(Boolean)) settle("ack");
    else this.competing.recycle();
  }

  /** Whether the part needs nothing more for now. */
  private async finish(link: RegionLink, part: Part): Promise<boolean> {
    try {
      return await this.fulfil(link, part);
    } catch (error) {
      if (!(error instanceof Undelivered)) throw error;
      this.options.log("part not settled", { part: partKey(part), error: error.message });
      return false;
    }
  }

  private async fulfil(link: RegionLink, part: Part): Promise<boolean> {
    // Claimed: by this process, or by one of this service that did not finish. Done: nothing left
    // to do. Anything else: another service has it, or the order was cancelled.
    if ((await this.askShard(part, "claim")) !== "claimed") {
      this.counts.refused++;
      return true;
    }
    const startMs = this.options.runtime.wallMs();
    const failure = await this.work(part);
    if (this.stopped) return false;
    if (failure !== undefined) return this.putOff(link, part, failure);
    await this.askShard(part, "done");
    this.counts.done++;
    this.trace(part, startMs);
    return true;
  }

  /**
   * The shard's answer without the sign that marks it as new: `+done` and `=done` are both `done`.
   */
  private async askShard(part: Part, word: PartWord): Promise<string> {
    const row = partRow(part, word, this.options.service, this.options.runtime.wallMs());
    return (await this.lanes.ask(part.shard, row)).slice(1);
  }

  /** Returns why it failed; undefined when the work is done. */
  private async work(part: Part): Promise<string | undefined> {
    try {
      await within(this.options.runtime, this.options.work(part), WORK_MAX_MS);
      return undefined;
    } catch (error) {
      const message = messageOf(error);
      this.options.log("part not done", { part: partKey(part), error: message });
      return message;
    }
  }

  private async putOff(link: RegionLink, part: Part, why: string): Promise<boolean> {
    if (part.sinceMs !== undefined && this.options.runtime.wallMs() - part.sinceMs >= GIVE_UP_MS)
      return this.giveUp(link, part, why);
    await this.askShard(part, "later");
    this.counts.putOff++;
    return true;
  }

  /**
   * Moves the part to those without a route, with the reason. If it is redriven, work starts again.
   * It keeps the number of its request: the ledger puts off only the newest.
   */
  private async giveUp({ publisher }: RegionLink, part: Part, why: string): Promise<boolean> {
    const { sinceMs: _, ...fresh } = part;
    const body = Buffer.from(JSON.stringify([fresh]));
    const headers = { "x-reason": `given up after a day: ${why}` };
    const key = partKeyOf(part.region, part.lines[0]?.category ?? "");
    const outcome = await publisher.publish(UNROUTED, key, body, { type: PARTS_TYPE, headers });
    if (outcome !== "confirmed") return false;
    this.counts.givenUp++;
    return true;
  }

  private trace({ traceparent, user, id, part }: Part, startMs: number): void {
    if (!traceparent) return;
    const attributes = {
      "sluice.user": user,
      "sluice.order": id,
      "sluice.service": this.options.service,
      "sluice.part": part,
    };
    const span = {
      name: "fulfil",
      traceparent,
      startMs,
      endMs: this.options.runtime.wallMs(),
      attributes,
    };
    this.options.spans?.record(span);
  }
}

function within<T>(runtime: Runtime, work: Promise<T>, ms: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<T>();
  const timer = runtime.startTimer(() => reject(new Error(`not done within ${ms} ms`)), ms);
  return Promise.race([work, promise]).finally(() => runtime.stopTimer(timer));
}

/** A service may declare only queues named after it (broker/accounts.ts). */
function answersId({ service, id }: { readonly service: string; readonly id: string }): string {
  return id === service || id.startsWith(`${service}-`) ? id : `${service}-${id}`;
}
