// Pushes outcomes to gateways, on a best-effort basis: the ledger has each of them too.
//
// 1. A gateway listens in every region. It cannot receive through one whose broker it has lost, and
//    may have left one that looks well from here. So a push that finds no queue goes through the
//    other regions.
// 2. What is pushed twice has one effect, apart from a state that a client sees again.
import { gatewayQueue, type Push } from "../../core/domain/push.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { LaterState } from "./later-states.ts";
import type { RegionLink } from "./relay.ts";

/** A bound, in case a broker invents gateways. */
const MAX_GATEWAYS = 1_000;
/** A gateway that has published nothing for this long may have left its region meanwhile. */
const FRESH_MS = 2_000;

interface Waiting {
  readonly link: RegionLink;
  readonly gateway: string;
  readonly batches: Push["batches"][number][];
  readonly released: Push["released"][number][];
}

export class Pushes {
  /** The region through which each gateway's last message came, and when, monotonic ms. */
  private readonly cameBy = new Map<string, { link: RegionLink; atMs: number }>();
  private waiting = new Map<string, Waiting>();
  private scheduled = false;

  constructor(
    private readonly runtime: Runtime,
    private readonly regions: readonly RegionLink[],
  ) {
    for (const link of regions)
      link.publisher.onReturned = (queue, body) => {
        for (const other of regions) if (other !== link) other.publisher.push(queue, body); // 1
      };
  }

  /**
   * Pushes the outcomes of a gateway's batch through the region in which it was published, or
   * through every region while that one accepts nothing. All outcomes of one turn of the event loop
   * share a push.
   */
  pushOutcomes(region: string, gateway: string, batch: string, outcomes: string): void {
    const link = this.regions.find((r) => r.connection.region === region);
    if (!link || gateway === "") return;
    this.published(gateway, link);
    for (const to of link.publisher.ready ? [link] : this.regions)
      this.pushTo(to, gateway).batches.push([batch, outcomes]);
  }

  /**
   * Pushes through the region in which the gateway published just now, or through every region: the
   * region of an order that waited is not recorded.
   */
  pushLater(changes: readonly LaterState[]): void {
    for (const { gateway, user, id, state } of changes)
      for (const link of this.linksTo(gateway))
        this.pushTo(link, gateway).released.push([user, id, state]);
  }

  private published(gateway: string, link: RegionLink): void {
    const atMs = this.runtime.monotonicMs();
    const last = this.cameBy.get(gateway);
    if (last) {
      last.link = link;
      last.atMs = atMs;
    } else if (this.cameBy.size < MAX_GATEWAYS) this.cameBy.set(gateway, { link, atMs });
  }

  private linksTo(gateway: string): readonly RegionLink[] {
    const last = this.cameBy.get(gateway);
    const fresh = last && this.runtime.monotonicMs() - last.atMs < FRESH_MS;
    return fresh && last.link.publisher.ready ? [last.link] : this.regions;
  }

  private pushTo(link: RegionLink, gateway: string): Waiting {
    const key = `${link.connection.region} ${gateway}`;
    let push = this.waiting.get(key);
    if (!push) {
      push = { link, gateway, batches: [], released: [] };
      this.waiting.set(key, push);
    }
    if (!this.scheduled) {
      this.scheduled = true;
      this.runtime.nextTurn(() => this.flush());
    }
    return push;
  }

  private flush(): void {
    this.scheduled = false;
    const waiting = this.waiting;
    this.waiting = new Map();
    for (const { link, gateway, batches, released } of waiting.values()) {
      const body = JSON.stringify({ batches, released } satisfies Push);
      link.publisher.push(gatewayQueue(gateway), body, this.regions.length > 1);
    }
  }
}
