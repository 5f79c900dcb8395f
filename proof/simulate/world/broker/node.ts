// One region's simulated broker: its exchanges and queues, and what becomes of a publication. The
// quorum commits publications in order, some time after they have arrived.
import type { Permissions } from "../../../../broker/accounts.ts";
import type { WorldScheduler } from "../scheduler.ts";
import { Way } from "../way.ts";
import { Exchanges } from "./exchanges.ts";
import { type Message, type Properties, type Publication, Refused, type Table } from "./message.ts";
import { Queue, type QueueSpec } from "./queue.ts";

/** How likely each trouble is, per frame or per publication, and how long things take. */
export interface BrokerTrouble {
  /** Frames take up to this long, a share `slow` of them up to `slowMs`. */
  readonly usualMs: number;
  readonly slow: number;
  readonly slowMs: number;
  /** Publications are committed at once, or within `usualMs`, or (a share) within `lateMs`. */
  readonly atOnce: number;
  readonly late: number;
  readonly lateMs: number;
  /** A queue has it, but the confirm never comes. */
  readonly confirmLost: number;
  /** Neither: allowed, since nothing was confirmed. */
  readonly publicationLost: number;
  readonly confirmTwice: number;
  /** A connection whose set-up is answered within the event that asks. */
  readonly quickSetup: number;
}

export const CALM: BrokerTrouble = {
  usualMs: 1,
  slow: 0,
  slowMs: 1_000,
  atOnce: 0.7,
  late: 0,
  lateMs: 20_000,
  confirmLost: 0,
  publicationLost: 0,
  confirmTwice: 0,
  quickSetup: 1,
};

interface Commit {
  readonly publication: Publication;
  readonly done: () => void;
}

interface Placed {
  readonly queue: Queue;
  /** Publications that the quorum has not committed. */
  readonly commits: Way<Commit>;
}

export class BrokerNode {
  readonly exchanges = new Exchanges();
  trouble: BrokerTrouble = CALM;
  /** Queues that reject every publication. */
  readonly refusing = new Set<string>();
  private readonly placed = new Map<string, Placed>();
  /** What was due while the node was down. */
  private postponed: (() => void)[] | undefined;

  constructor(
    readonly scheduler: WorldScheduler,
    readonly name: string,
    /** undefined: the user may do everything. */
    private readonly permissions: (user: string) => Permissions | undefined,
  ) {}

  get queues(): Queue[] {
    return [...this.placed.values()].map(({ queue }) => queue);
  }

  find(name: string): Queue | undefined {
    return this.placed.get(name)?.queue;
  }

  /** The queue, for this connection. */
  queueFor(name: string, connection: object): Queue {
    const queue = this.find(name);
    if (!queue) throw new Refused(404, `NOT_FOUND - no queue '${name}' in vhost '/'`);
    const { owner } = queue.spec;
    if (owner !== undefined && owner !== connection)
      throw new Refused(405, `RESOURCE_LOCKED - cannot obtain exclusive access to '${name}'`);
    return queue;
  }

  declare(spec: QueueSpec, connection: object): Queue {
    if (this.placed.has(spec.name)) {
      const held = this.queueFor(spec.name, connection);
      if (!equivalent(held.spec, spec))
        throw new Refused(406, `PRECONDITION_FAILED - inequivalent arg for queue '${spec.name}'`);
      return held;
    }
    const queue = new Queue(spec, {
      nowMs: this.scheduler.nowMs,
      later: (what, run, delayMs) => {
        const alive = (): void => {
          if (this.postponed) this.postponed.push(alive);
          else if (this.find(spec.name) === queue) run();
        };
        this.scheduler.event(`${this.name} ${spec.name} ${what}`, alive, delayMs);
      },
      bury: (message, reason) => this.bury(queue, message, reason),
    });
    const commits = new Way<Commit>(
      this.scheduler,
      `${this.name} ${spec.name}`,
      ({ publication, done }) => {
        queue.add(publication);
        done();
      },
    );
    this.placed.set(spec.name, { queue, commits });
    return queue;
  }

  /** Deletes a queue with what is in it; its consumers are told. */
  delete(name: string): number {
    const placed = this.placed.get(name);
    if (!placed) return 0;
    const { queue } = placed;
    this.placed.delete(name);
    this.exchanges.forget(name);
    placed.commits.drop();
    for (const consumer of queue.consumers) consumer.ended();
    return queue.length;
  }

  may(user: string, right: keyof Permissions, what: string): void {
    const rights = this.permissions(user);
    if (!rights || new RegExp(rights[right]).test(what === "" ? "amq.default" : what)) return;
    throw new Refused(403, `ACCESS_REFUSED - ${right} access to '${what}' refused for '${user}'`);
  }

  /**
   * Routes a publication and returns the queues for it. If there are some, `done` is called once
   * with whether all of them took it, or never.
   */
  publish(channel: object, publication: Publication, done: (taken: boolean) => void): Queue[] {
    const queues = this.route(publication);
    const takers = queues.filter(
      ({ queue }) => !this.refusing.has(queue.spec.name) && queue.takesFrom(channel),
    );
    let open = takers.length;
    const committed = () => {
      if (--open === 0) done(takers.length === queues.length);
    };
    if (queues.length > 0 && open === 0) done(false);
    for (const { commits } of takers) this.commit(commits, { publication, done: committed });
    return queues.map(({ queue }) => queue);
  }

  /** The process of the node has ended: the disk keeps what follows from the quorum's log. */
  crash(): void {
    this.postponed = [];
    for (const [name, { queue, commits }] of this.placed) {
      const open = commits.drop();
      if (!queue.spec.durable || queue.spec.owner) {
        this.delete(name);
        continue;
      }
      queue.abandon();
      const kept = Math.floor(this.scheduler.random() * (open.length + 1));
      for (const { publication } of open.slice(0, kept)) queue.add(publication);
    }
  }

  start(): void {
    const due = this.postponed ?? [];
    this.postponed = undefined;
    for (const run of due) run();
  }

  private commit(commits: Way<Commit>, commit: Commit): void {
    const { random } = this.scheduler;
    const { atOnce, usualMs, late, lateMs, confirmLost, publicationLost } = this.trouble;
    const luck = confirmLost + publicationLost > 0 ? random() : 1;
    if (luck < publicationLost) return;
    const unheard = luck < publicationLost + confirmLost;
    const item = unheard ? { ...commit, done: () => undefined } : commit;
    if (commits.length === 0 && random() < atOnce) {
      commits.now(item);
      return;
    }
    const mostMs = late > 0 && random() < late ? lateMs : usualMs;
    commits.send("commits", item, random() * mostMs);
  }

  private route({ exchange, routingKey, properties }: Publication): Placed[] {
    const headers: Table = properties.headers ?? {};
    return this.exchanges
      .route(exchange, routingKey, headers, (queue) => this.placed.has(queue))
      .flatMap((name) => this.placed.get(name) ?? []);
  }

  /** Whether all queues for the dead letter took it. */
  private bury({ spec }: Queue, message: Message, reason: string): boolean {
    const exchange = String(spec.arguments["x-dead-letter-exchange"]);
    const routingKey = String(spec.arguments["x-dead-letter-routing-key"] ?? message.routingKey);
    const { content } = message;
    const properties = deadProperties(message, spec.name, reason);
    const letter: Publication = { exchange, routingKey, content, properties };
    const queues = this.route(letter);
    const taken = queues.length > 0 && queues.every(({ queue }) => queue.takesFrom(spec));
    if (taken) for (const { queue } of queues) queue.add(letter);
    return taken;
  }
}

function deadProperties(message: Message, queue: string, reason: string): Properties {
  const { expiration, headers = {}, ...kept } = message.properties;
  const { exchange, routingKey } = message;
  const earlier = (headers["x-death"] as readonly Table[] | undefined) ?? [];
  const again = earlier.find((death) => death.queue === queue && death.reason === reason);
  const death: Table = {
    ...{ count: Number(again?.count ?? 0) + 1, reason, queue, exchange },
    "routing-keys": [routingKey],
    ...(expiration === undefined ? {} : { "original-expiration": expiration }),
  };
  const first =
    earlier.length > 0
      ? {}
      : {
          "x-first-death-exchange": exchange,
          "x-first-death-queue": queue,
          "x-first-death-reason": reason,
        };
  const deaths = [death, ...earlier.filter((other) => other !== again)];
  return { ...kept, headers: { ...headers, ...first, "x-death": deaths } };
}

function equivalent(a: QueueSpec, b: QueueSpec): boolean {
  return (
    a.durable === b.durable &&
    a.autoDelete === b.autoDelete &&
    (a.owner === undefined) === (b.owner === undefined) &&
    isSame(a.arguments, b.arguments)
  );
}

function isSame(a: Table, b: Table): boolean {
  const names = Object.keys(a);
  const equal = (one: unknown, other: unknown) =>
    one === other || JSON.stringify(one) === JSON.stringify(other);
  return names.length === Object.keys(b).length && names.every((name) => equal(a[name], b[name]));
}
