// Publishes batches at home, or in another region while home does not take them.
//
// 1. A batch that may be in one region's queue is published in another exactly as it is: consumers
//    know its rows by user and id, so a second copy has no effect.
// 2. A batch settles within the deadline. A region that does not confirm it in time is left early
//    if another one is ready and trusted. If none is trusted, they share the time: one that is slow
//    is better than one that is silent.
// 3. `unsent` means that nothing left this process in any region.
// 4. A region whose breaker is open gets a batch only if no other region takes it.
// 5. A full queue is pressure, not an outage: its batches go nowhere else.
// 6. A batch in flight is given up early only if a trusted region can take it. A gateway with one
//    region trusts it always.
// 7. A queue that fails while a later batch of its region was confirmed is left alone. Without such
//    a batch the region is left, but a queue does so at most once until it confirms again.
import type { Runtime, Timer } from "../core/runtime/runtime.ts";
import { type BreakerState, RegionBreaker } from "./breaker.ts";
import type { Publisher, PublishOutcome, PublishProperties } from "./publisher.ts";
import { QueueBreakers } from "./queue-breakers.ts";

export interface FailoverRegion {
  readonly name: string;
  readonly publisher: Pick<Publisher, "ready" | "publish" | "giveUp" | "reaches">;
  /** Why its publisher is not ready. */
  readonly state: () => "up" | "blocked" | "away";
}

export interface FailoverOptions {
  readonly runtime: Runtime;
  /** Home first, then the others in the order in which they are tried. */
  readonly regions: readonly [FailoverRegion, ...FailoverRegion[]];
  readonly exchange: string;
  /** How long a batch may take in all regions together, ms. */
  readonly deadlineMs: number;
  /** How long a region has while another one is ready, ms. */
  readonly patienceMs: number;
  /** How long a region must be healthy before it gets batches again, ms. */
  readonly healthyMs: number;
  /** `queue`: it concerns this queue alone. */
  readonly onChange: (region: string, state: BreakerState, why: string, queue?: string) => void;
}

/** What a batch learns: the regions that may hold it, if it is not the home region alone. */
export interface Placed {
  region?: string | undefined;
}

/** A region as operators see it. */
export interface RegionView {
  readonly region: string;
  readonly broker: "up" | "blocked" | "away";
  readonly breaker: BreakerState;
  /** Why, and since when, Unix ms. */
  readonly why: string;
  readonly sinceMs: number;
  /** Counter: batches that this region has confirmed. */
  readonly confirmed: number;
  /** Routing keys of queues that are not trusted, whatever the region is. */
  readonly queues: readonly string[];
}

interface Place extends FailoverRegion {
  readonly breaker: RegionBreaker;
  readonly queues: QueueBreakers;
  confirmed: number;
  /** When the latest of its confirmed batches was sent, monotonic ms. */
  confirmedSentMs: number;
  probing: boolean;
  /** A broker that this process has not reached yet has not failed. */
  reached: boolean;
}

/** How often the regions are looked at. */
const LOOK_MS = 500;
/** With less time left than this, a region would be blamed without reason. */
const MIN_MS = 50;

export class Failover {
  private readonly places: readonly Place[];
  private readonly home: Place;
  private timer: Timer | undefined;

  constructor(private readonly options: FailoverOptions) {
    const { runtime, regions, healthyMs, onChange } = options;
    const place = (region: FailoverRegion): Place => ({
      ...{ name: region.name, publisher: region.publisher, state: region.state },
      ...{ confirmed: 0, confirmedSentMs: 0, probing: false, reached: region.state() === "up" },
      breaker: new RegionBreaker({
        ...{ runtime, healthyMs },
        onChange: (state, why) => {
          // Those that still wait for this region would wait in vain.
          if (state === "open" && this.hasRefuge(region.name)) region.publisher.giveUp(); // 6
          onChange(region.name, state, why);
        },
      }),
      queues: new QueueBreakers({
        ...{ runtime, healthyMs },
        onChange: (queue, state, why) => onChange(region.name, state, why, queue),
      }),
    });
    const [home, ...others] = regions;
    this.home = place(home);
    this.places = [this.home, ...others.map(place)];
  }

  /** Looks at the regions from now on. With one region there is nowhere else to publish. */
  start(): void {
    if (this.places.length < 2) return;
    this.timer = this.options.runtime.startInterval(() => this.checkRegions(), LOOK_MS);
  }

  stop(): void {
    this.options.runtime.stopTimer(this.timer);
  }

  /** Whether some region would take a batch now. Asked for each order. */
  get ready(): boolean {
    if (this.home.publisher.ready) return true;
    for (let i = 1; i < this.places.length; i++) if (this.places[i]?.publisher.ready) return true;
    return false;
  }

  /** The region that the next batch goes to, unless its queue there is not trusted. */
  get region(): string {
    return (this.next([]) ?? this.home).name;
  }

  /** Regions that get no batch and do not answer: what they hold waits until they are back. */
  get silent(): string[] {
    const to = this.region;
    const silent = this.places.filter(
      ({ name, state, breaker }) =>
        name !== to && breaker.state === "open" && !breaker.answers && state() !== "blocked",
    );
    return silent.map(({ name }) => name);
  }

  view(): RegionView[] {
    return this.places.map(({ name: region, state, breaker, confirmed, queues }) => ({
      ...{ region, broker: state(), breaker: breaker.state },
      ...{ why: breaker.why, sinceMs: breaker.sinceMs, confirmed, queues: queues.doubted },
    }));
  }

  /** Settles within the deadline; never rejects. */
  async publish(
    key: string,
    body: Buffer,
    properties: PublishProperties,
    placed: Placed,
  ): Promise<PublishOutcome> {
    const { runtime, deadlineMs } = this.options;
    const endMs = runtime.monotonicMs() + deadlineMs;
    const tried: Place[] = [];
    const holders: string[] = [];
    let last: PublishOutcome = "unsent"; // 3
    for (let leftMs = deadlineMs; ; leftMs = endMs - runtime.monotonicMs()) {
      if (tried.length > 0 && leftMs < MIN_MS) break;
      const place = this.next(tried, key);
      if (!place) break;
      tried.push(place);
      const limitMs = this.limitMs(tried, key, leftMs);
      const outcome = await this.attempt(place, key, body, properties, limitMs);
      if (outcome === "unsent") continue;
      last = outcome;
      holders.push(place.name);
      if (outcome === "nacked") break; // 5
      if (outcome !== "confirmed") continue; // 1
      if (place !== this.home || holders.length > 1) placed.region = holders.join(",");
      break;
    }
    return last;
  }

  /** How long the last of the tried regions may take. */
  private limitMs(tried: readonly Place[], key: string, leftMs: number): number {
    const next = this.next(tried, key);
    if (!next) return leftMs;
    return admits(next, key) ? Math.min(this.options.patienceMs, leftMs) : leftMs / 2; // 2
  }

  private async attempt(
    place: Place,
    key: string,
    body: Buffer,
    properties: PublishProperties,
    limitMs: number,
  ): Promise<PublishOutcome> {
    const { publisher, breaker, queues, state } = place;
    breaker.began();
    queues.get(key)?.began();
    const { exchange, runtime } = this.options;
    const sentMs = runtime.monotonicMs();
    const outcome = await publisher.publish(exchange, key, body, properties, limitMs);
    switch (outcome) {
      case "confirmed":
        place.confirmed++;
        place.confirmedSentMs = Math.max(place.confirmedSentMs, sentMs);
        breaker.confirmed();
        queues.confirmed(key);
        break;
      case "nacked":
        breaker.confirmed(); // the broker answers
        queues.confirmed(key);
        break;
      case "returned":
        this.blame(place, key, sentMs, "it has no such queue");
        break;
      case "unsent":
        queues.get(key)?.undone();
        if (state() === "up") breaker.undone();
        else this.notice(place);
        break;
      case "unknown":
        if (state() === "up")
          this.blame(place, key, sentMs, `no confirm within ${Math.round(limitMs)} ms`);
        else this.failed(place, state());
        queues.get(key)?.undone();
    }
    return outcome;
  }

  /** The broker is there, and did not confirm a batch of this queue. */
  private blame(place: Place, key: string, sentMs: number, why: string): void {
    const { breaker, queues } = place;
    if (this.places.length < 2) return; // 6
    const wasOpen = breaker.state === "open"; // not for this queue
    const known = queues.get(key) !== undefined;
    if (!wasOpen) queues.failed(key, why);
    if (!wasOpen && (known || place.confirmedSentMs > sentMs))
      breaker.undone(); // 7
    else this.failed(place, why);
  }

  /** The first region that is ready: those that are trusted first, then those that answer. */
  private next(tried: readonly Place[], key?: string): Place | undefined {
    let other: Place | undefined;
    for (const place of this.places) {
      if (tried.includes(place)) continue;
      if (!place.publisher.ready) this.notice(place);
      else if (admits(place, key)) return place;
      else if (!other || (answers(place, key) && !answers(other, key))) other = place; // 4
    }
    return other;
  }

  private checkRegions(): void {
    for (const place of this.places) {
      this.notice(place);
      const doubted = place.breaker.state === "open" || place.queues.doubted.length > 0;
      if (doubted && place.state() === "up") void this.probe(place);
    }
  }

  private notice(place: Place): void {
    const word = place.state();
    if (word === "up") place.reached = true;
    else if (place.reached) this.failed(place, word);
  }

  private failed({ breaker }: Place, why: string): void {
    if (this.places.length > 1) breaker.failed(why); // 6
  }

  private hasRefuge(from: string): boolean {
    return this.places.some(
      ({ name, publisher, breaker }) =>
        name !== from && publisher.ready && breaker.state !== "open",
    );
  }

  /** Asks the broker for an answer, which takes no queue. */
  private async probe(place: Place): Promise<void> {
    if (place.probing) return;
    place.probing = true;
    const { exchange, patienceMs } = this.options;
    const healthy = await place.publisher.reaches(exchange, patienceMs);
    place.breaker.looked(healthy);
    place.queues.looked(healthy);
    place.probing = false;
  }
}

/** Whether a region is trusted with a batch; `key`: with one for this queue. */
function admits({ breaker, queues }: Place, key: string | undefined): boolean {
  return breaker.admits && (key === undefined || (queues.get(key)?.admits ?? true));
}

/** Whether a region that is not trusted has answered since it failed. */
function answers({ breaker, queues }: Place, key: string | undefined): boolean {
  if (breaker.state === "open" || key === undefined) return breaker.answers;
  return queues.get(key)?.answers ?? breaker.answers;
}
