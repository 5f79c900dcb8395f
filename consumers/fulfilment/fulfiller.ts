// A processing service: takes the parts of paid orders from its queue, claims each before it works on it, and reports it done. Several
// processes of one service share its queue. A message is acknowledged when all its parts have an end; what a process leaves behind comes to
// another one, which claims it again, for the same service, so work must be harmless to repeat under the part's key (partKey).
import { declareQueue } from "../../broker/declare.ts";
import { type Delivery, type Disposition, Subscription } from "../../broker/subscriber.ts";
import { serviceQueue, UNROUTED } from "../../broker/topology.ts";
import { isPart, type Part, partKey } from "../../core/domain/part.ts";
import type { SpanRecorder } from "../../core/spans.ts";
import { Competing } from "../competing.ts";
import type { Governing } from "../governor/governing.ts";
import type { RegionLink } from "../relay.ts";
import { Claims } from "./claims.ts";

export interface FulfillerOptions {
  readonly service: string;
  /** Names this process's queue of answers. */
  readonly id: string;
  readonly regions: readonly RegionLink[];
  readonly shards: number;
  /** Does the work; may be called again for a part whose end was not recorded. */
  readonly work: (part: Part) => Promise<void>;
  readonly spans?: SpanRecorder | undefined;
  readonly governing?: Governing | undefined;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

/** Messages in hand, per region; each holds up to 20 parts. */
const PREFETCH = 32;
const WORK_AGAIN_MS = 1_000;

export class Fulfiller {
  private readonly claims: Claims;
  private readonly competing: Competing;
  private underWay = 0;
  private stopped = false;
  /** Parts done, and parts that were not to be worked on. */
  readonly counts = { done: 0, refused: 0 };

  constructor(private readonly options: FulfillerOptions) {
    const { regions, governing } = options;
    this.claims = new Claims(regions, answersId(options));
    this.competing = new Competing({
      regions,
      governing,
      subscribe: (link) => this.subscribe(link),
      idle: () => this.underWay === 0,
    });
  }

  async start(): Promise<void> {
    await this.claims.start();
    await this.competing.start();
  }

  /** Quiet, then stop: what is in hand is finished if it is soon; the rest goes back to the queue. */
  async stop(graceMs = 5_000): Promise<void> {
    await this.competing.quiet(graceMs);
    this.stopped = true;
    await this.claims.stop();
    await this.competing.close();
  }

  private async subscribe(link: RegionLink): Promise<Subscription> {
    const queue = serviceQueue(this.options.service);
    await link.connection.attach((model) => declareQueue(model, queue, link.connection.region));
    return new Subscription(link.connection, {
      queue: queue.name,
      prefetch: PREFETCH,
      independent: true,
      dead: { publisher: link.publisher, queue: UNROUTED, exchange: UNROUTED },
      handler: (delivery, settle) => void this.competing.work(() => this.accept(delivery, settle)),
    });
  }

  private async accept(
    { body }: Delivery,
    settle: (disposition: Disposition) => void,
  ): Promise<void> {
    const parts = readParts(body, this.options.shards);
    if (!parts) return settle({ kind: "dead", reason: "not a list of parts (fulfilment.v1)" });
    this.underWay++;
    await Promise.all(parts.map((part) => this.fulfil(part)));
    this.underWay--;
    if (!this.stopped) settle("ack");
  }

  private async fulfil(part: Part): Promise<void> {
    // Claimed: by this process, or by one of this service that did not come to its end. Done: nothing is left to do. Anything else: another
    // service has it, or the order was cancelled.
    if ((await this.ask(part, "claim")) !== "claimed") {
      this.counts.refused++;
      return;
    }
    const startMs = Date.now();
    await this.work(part);
    await this.ask(part, "done");
    this.counts.done++;
    const { traceparent, user, id } = part;
    if (!traceparent) return;
    const attributes = {
      "sluice.user": user,
      "sluice.order": id,
      "sluice.service": this.options.service,
      "sluice.part": part.part,
    };
    this.options.spans?.record({
      name: "fulfil",
      traceparent,
      startMs,
      endMs: Date.now(),
      attributes,
    });
  }

  /** A worker of an older version does not know such rows: it has no word for them, and is not the last to be asked. */
  private async ask(part: Part, word: "claim" | "done"): Promise<string> {
    while (true) {
      const answer = await this.claims.ask(part, word, this.options.service);
      if (answer !== "") return answer;
      this.options.log("claim not understood", { part: partKey(part) });
      await Bun.sleep(WORK_AGAIN_MS);
    }
  }

  private async work(part: Part): Promise<void> {
    while (!this.stopped) {
      try {
        return await this.options.work(part);
      } catch (error) {
        this.options.log("part not done", { part: partKey(part), error: (error as Error).message });
        await Bun.sleep(WORK_AGAIN_MS);
      }
    }
    await new Promise(() => undefined); // stopped half-way: the part stays claimed, and its message comes again
  }
}

function readParts(body: Buffer, shards: number): readonly Part[] | undefined {
  try {
    const parts = JSON.parse(body.toString()) as unknown;
    return Array.isArray(parts) && parts.every(isPart) && parts.every((p) => p.shard < shards)
      ? parts
      : undefined;
  } catch {
    return undefined;
  }
}

/** A service may make only queues that are named after it (broker/accounts.ts). */
function answersId({ service, id }: { readonly service: string; readonly id: string }): string {
  return id === service || id.startsWith(`${service}-`) ? id : `${service}-${id}`;
}
