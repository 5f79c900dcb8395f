// For tests of failover: two regions whose brokers do what the test says, on virtual time.
import { VirtualRuntime } from "../core/runtime/testing.ts";
import { Failover, type Placed } from "./failover.ts";
import type { PublishOutcome } from "./publisher.ts";

export const DEADLINE_MS = 10_000;
export const PATIENCE_MS = 1_000;
export const HEALTHY_MS = 5_000;
export const body = Buffer.from("rows");

/** A region whose broker does what the test says. */
class FakeRegion {
  /** `silent`: it reads, and never answers. */
  does: PublishOutcome | "silent" = "confirmed";
  is: "up" | "blocked" | "away" = "up";
  /** A queue that never confirms, whatever the others do. */
  stuck: string | undefined;
  /** How long a confirm takes, ms. */
  slowMs = 0;
  readonly got: { key: string; body: Buffer; id: string | undefined }[] = [];
  probes = 0;
  private waiting: ((outcome: PublishOutcome) => void)[] = [];

  constructor(
    readonly name: string,
    private readonly runtime: VirtualRuntime,
  ) {}

  readonly state = () => this.is;
  readonly publisher = this.makePublisher();

  private makePublisher() {
    const region = this;
    return {
      get ready() {
        return region.is === "up";
      },
      publish: (_: string, key: string, text: Buffer, p = {}, limitMs = DEADLINE_MS) => {
        region.got.push({ key, body: text, id: (p as { messageId?: string }).messageId });
        const { slowMs } = region;
        const does = key === region.stuck ? "silent" : region.does;
        if (does !== "silent" && slowMs === 0) return Promise.resolve(does);
        const { promise, resolve } = Promise.withResolvers<PublishOutcome>();
        region.waiting.push(resolve);
        region.runtime.startTimer(() => resolve("unknown"), limitMs);
        if (does !== "silent") region.runtime.startTimer(() => resolve(does), slowMs);
        return promise;
      },
      giveUp: () => {
        for (const resolve of region.waiting.splice(0)) resolve("unknown");
      },
      reaches: async () => {
        region.probes++;
        return region.is === "up" && region.does === "confirmed";
      },
    };
  }
}

export function rig(atFirst: FakeRegion["is"] = "up", alone = false) {
  const runtime = new VirtualRuntime();
  const eu = new FakeRegion("eu", runtime);
  eu.is = atFirst;
  const us = new FakeRegion("us", runtime);
  const changes: string[] = [];
  const failover = new Failover({
    runtime,
    regions: alone ? [eu] : [eu, us],
    exchange: "orders",
    deadlineMs: DEADLINE_MS,
    patienceMs: PATIENCE_MS,
    healthyMs: HEALTHY_MS,
    onChange: (region, state, _, queue) =>
      changes.push(`${region}${queue === undefined ? "" : `/${queue}`} ${state}`),
  });
  failover.start();
  let number = 0;
  const publish = async (key = "0") => {
    const placed: Placed = {};
    const startedMs = runtime.monotonicMs();
    const messageId = String(++number);
    const outcome = await failover.publish(key, body, { messageId }, placed);
    return { outcome, region: placed.region, tookMs: runtime.monotonicMs() - startedMs };
  };
  /** The result of a publish during which time passes. */
  const publishWhile = async (ms: number, key?: string) => {
    const result = publish(key);
    await runtime.advance(ms);
    return result;
  };
  return { runtime, eu, us, failover, changes, publish, publishWhile };
}
