// Takes parts from the queues of services that claim over HTTP, in every region.
//
//  1. A message is acknowledged once its parts are kept. Until then it goes back to its queue when
//     this process dies.
import { depth } from "../../broker/inspect.ts";
import { type Pulled, pull, type Taken } from "../../broker/pull.ts";
import { serviceQueueName } from "../../broker/topology.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import type { Part } from "../../core/domain/part.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Leased } from "../../ledger/contract.ts";
import type { RegionLink } from "../orders/relay.ts";
import { readParts } from "./read-parts.ts";

export interface PartQueuesOptions {
  readonly runtime: Runtime;
  readonly regions: readonly RegionLink[];
  readonly shards: number;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

/** A queue that does not exist, since no route names the service yet, is looked for after this. */
const ABSENT_MS = 2_000;
const MAX_ABSENT = 1_000;
/** Messages are taken for this long, so that a far broker delays an answer by little more. */
const PULL_MS = 1_000;
const NONE = { kind: "none" } as const;

export class PartQueues {
  /** When a missing queue may be looked for again, monotonic ms, by region and service. */
  private readonly absent = new Map<string, number>();

  constructor(private readonly options: PartQueuesOptions) {}

  /**
   * Leases about `most` parts of the first region that has any. `unavailable`: no region could be
   * asked.
   */
  async lease(
    service: string,
    most: number,
    keep: (arrived: readonly Part[]) => Promise<Leased>,
  ): Promise<Leased | { readonly kind: "unavailable" }> {
    let asked = 0;
    for (const link of this.options.regions) {
      const arrived: Part[] = [];
      const pulled = await this.take(service, most, link, arrived);
      if (pulled === "away") continue;
      asked++;
      const leased = pulled === "none" ? NONE : await kept(pulled, arrived, keep);
      if (leased.kind !== "none") return leased;
    }
    return { kind: asked > 0 ? "none" : "unavailable" };
  }

  private async take(
    service: string,
    most: number,
    { consuming }: RegionLink,
    arrived: Part[],
  ): Promise<Pulled | "none" | "away"> {
    if (!consuming.up) return "away";
    const { runtime, log, shards } = this.options;
    const queue = serviceQueueName(service);
    const place = `${consuming.region} ${service}`;
    if ((this.absent.get(place) ?? 0) > runtime.monotonicMs()) return "none";
    const take = (body: Buffer): Taken => {
      const parts = readParts(body, shards);
      if (!parts) return "reject";
      arrived.push(...parts);
      return arrived.length >= most ? "enough" : "more";
    };
    try {
      const seen = await depth(consuming, queue);
      this.note(place, seen !== undefined);
      return seen && seen.ready > 0 ? await pull(consuming, queue, take, PULL_MS) : "none";
    } catch (error) {
      log("parts not taken", { region: consuming.region, queue, error: messageOf(error) });
      return "away";
    }
  }

  /** Remembers queues that do not exist, for a moment: looking for one ends a channel. */
  private note(place: string, exists: boolean): void {
    this.absent.delete(place);
    if (exists) return;
    this.absent.set(place, this.options.runtime.monotonicMs() + ABSENT_MS);
    // A bound, because callers may invent names.
    if (this.absent.size > MAX_ABSENT) this.absent.delete([...this.absent.keys()][0] as string);
  }
}

/** 1 */
async function kept(
  pulled: Pulled,
  arrived: readonly Part[],
  keep: (arrived: readonly Part[]) => Promise<Leased>,
): Promise<Leased> {
  let isKept = arrived.length === 0;
  try {
    const leased = isKept ? NONE : await keep(arrived);
    isKept = true;
    return leased;
  } finally {
    await (isKept ? pulled.keep() : pulled.giveBack());
  }
}
