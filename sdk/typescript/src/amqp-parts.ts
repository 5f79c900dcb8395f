// Parts over AMQP, with the caller's own client (amqplib): docs/fulfilment.md has the protocol.
//
//  1. A message is acknowledged when the ledger has the fate of all its parts.
//  2. A row without an answer is sent again: repeats change nothing.
//  3. A connection that ends is opened again. The broker then redelivers whatever was not
//     acknowledged.
import { uuidV7 } from "./ids.ts";
import { onAbort, sleep, startTimer, stopTimer, wallMs } from "./platform.ts";
import { Unfinished } from "./problem.ts";
import { type Part, type PartSource, partKey } from "./service.ts";
import { DEADLINE_MS, Deadline, type Waiting, waitOf } from "./settle.ts";

interface Message {
  readonly content: { toString(): string };
}
/** The part of amqplib's channel that is used. */
export interface AmqpChannel {
  assertQueue(name: string, options: object): PromiseLike<unknown>;
  consume(
    queue: string,
    take: (message: Message | null) => void,
    options?: object,
  ): PromiseLike<unknown>;
  prefetch(count: number): PromiseLike<unknown> | unknown;
  publish(exchange: string, key: string, content: never, options: object): unknown;
  ack(message: never): void;
  nack(message: never, allUpTo: boolean, requeue: boolean): void;
  on(event: string, listener: (...args: never[]) => void): unknown;
}
export interface AmqpConnection {
  createChannel(): PromiseLike<AmqpChannel>;
  close(): PromiseLike<unknown>;
  on(event: string, listener: (...args: never[]) => void): unknown;
}

export interface AmqpPartsOptions {
  /** The name that routes give the service. */
  readonly service: string;
  /** Opens a connection to one region's broker: `() => amqplib.connect(url)`. */
  readonly connect: () => PromiseLike<AmqpConnection>;
  /** The user of that connection, for which the broker vouches. */
  readonly userId: string;
  /** Messages in flight; each holds up to 20 parts. */
  readonly prefetch?: number;
}

const PREFETCH = 16;
const ANSWER_MS = 5_000;
const REDELIVER_MS = 1_000;

interface Held {
  readonly channel: AmqpChannel;
  readonly message: Message;
  /** Keys of its parts whose fate is open. */
  readonly open: Set<string>;
}

interface Link {
  readonly connection: AmqpConnection;
  readonly channel: AmqpChannel;
}

export class AmqpParts implements PartSource {
  private readonly me: string;
  private readonly arrived: { part: Part; held: Held }[] = [];
  private readonly held = new Map<string, Held>();
  private readonly answers = new Map<string, (word: string) => void>();
  private readonly closes = new AbortController();
  private wake: () => void = () => undefined;
  private link: Promise<Link> | undefined;

  constructor(private readonly options: AmqpPartsOptions) {
    this.me = `${options.service}-${uuidV7(wallMs())}`;
  }

  async claim(most: number, waitMs: number, signal: AbortSignal): Promise<readonly Part[]> {
    const until = new Deadline({ deadlineMs: waitMs, signal });
    try {
      await this.connected(until.signal);
      while (this.arrived.length === 0 && !until.reason)
        await new Promise<void>((resolve) => {
          const forget = onAbort(until.signal, resolve);
          this.wake = () => {
            forget();
            resolve();
          };
        });
      const taken = this.arrived.splice(0, most);
      const claimed = await Promise.all(taken.map(({ part, held }) => this.claimOne(part, held)));
      return claimed.filter((part) => part !== undefined);
    } finally {
      until.end();
    }
  }

  async done(part: Part, waiting: Waiting = {}): Promise<void> {
    await this.tell(part, "done", waiting);
    this.settled(part);
  }

  async later(part: Part, waiting: Waiting = {}): Promise<void> {
    await this.tell(part, "later", waiting);
    this.settled(part);
  }

  failed(part: Part): void {
    const held = this.held.get(partKey(part));
    if (held) this.giveBack(held);
  }

  async close(): Promise<void> {
    this.closes.abort();
    this.wake();
    const link = await this.link?.catch(() => undefined);
    await link?.connection.close();
  }

  /** undefined: cancelled, or another service has it. */
  private async claimOne(part: Part, held: Held): Promise<Part | undefined> {
    this.held.set(partKey(part), held);
    try {
      if ((await this.tell(part, "claim", {})) === "claimed") return part;
      this.settled(part);
    } catch {
      this.giveBack(held); // without an answer it comes again
    }
    return undefined;
  }

  /** Sends a row until it is answered; returns the word without the sign of its newness. */
  private async tell(part: Part, report: string, waiting: Waiting): Promise<string> {
    const until = new Deadline({ deadlineMs: DEADLINE_MS, ...waiting });
    const what = `${report} of part ${partKey(part)}`;
    try {
      while (!until.reason && !this.closes.signal.aborted) {
        const word = await this.ask(part, report, until.signal);
        if (word !== undefined) return word.slice(1);
      }
      throw new Unfinished(what, until.reason ?? "closed", "unknown", undefined, part.id);
    } finally {
      until.end();
    }
  }

  private async ask(part: Part, report: string, signal: AbortSignal): Promise<string | undefined> {
    const { channel } = await this.connected(signal);
    const messageId = uuidV7(wallMs());
    return new Promise((resolve) => {
      const end = (word?: string): void => {
        stopTimer(timer);
        forget();
        this.answers.delete(messageId);
        resolve(word);
      };
      const timer = startTimer(end, ANSWER_MS);
      const forget = onAbort(signal, end);
      this.answers.set(messageId, end);
      try {
        channel.publish("claims", String(part.shard), bytesOf(this.row(part, report)), {
          ...{ persistent: true, type: "orders.v1" },
          ...{ messageId, appId: this.me, userId: this.options.userId },
        });
      } catch {
        // The channel has closed: the row is sent again on the next one.
        void sleep(REDELIVER_MS, signal).then(() => end());
      }
    });
  }

  /** Columns of one row each. */
  private row(part: Part, report: string): object {
    const { user, id, generation, of } = part;
    return {
      ...{ v: 1, kind: "f", order: [`${user} ${id}`], at: [wallMs()] },
      ...{ generation: [generation], part: [part.part], parts: [of] },
      ...{ report: [report], service: [this.options.service] },
      ...(report === "later" ? { request: [part.request ?? 1] } : {}),
    };
  }

  private async connected(signal: AbortSignal): Promise<Link> {
    for (let n = 0; ; n++) {
      if (signal.aborted || this.closes.signal.aborted)
        throw new Unfinished("connection to the broker", "closed", "none");
      this.link ??= this.connect();
      const { link } = this;
      try {
        return await link;
      } catch {
        if (this.link === link) this.link = undefined;
        await sleep(waitOf(n), signal);
      }
    }
  }

  private async connect(): Promise<Link> {
    const connection = await this.options.connect();
    const lost = () => {
      this.link = undefined;
      this.forget(channel);
    };
    connection.on("error", () => undefined); // a close follows
    const channel = await connection.createChannel();
    channel.on("error", () => undefined); // a close follows
    channel.on("close", () => {
      lost();
      void Promise.resolve(connection.close()).catch(() => undefined);
    });
    connection.on("close", lost);
    const answers = `gateway.${this.me}`;
    const own = { exclusive: true, durable: false, autoDelete: true };
    await channel.assertQueue(answers, own);
    await channel.consume(answers, (message) => this.answered(message), { noAck: true });
    await channel.prefetch(this.options.prefetch ?? PREFETCH);
    const queue = `fulfilment.${this.options.service}`;
    await channel.consume(queue, (message) => this.arrive(channel, message));
    return { connection, channel };
  }

  private answered(message: Message | null): void {
    if (message === null) return;
    const { batches } = JSON.parse(message.content.toString()) as { batches: [string, string][] };
    for (const [messageId, words] of batches)
      this.answers.get(messageId)?.(words.split(",")[0] as string);
  }

  private arrive(channel: AmqpChannel, message: Message | null): void {
    if (message === null) return;
    const parts = partsOf(message);
    // Not a list of parts: it goes to the parts without a route, for an operator.
    if (!parts) {
      safely(() => channel.nack(message as never, false, false));
      return;
    }
    const held = { channel, message, open: new Set(parts.map(partKey)) };
    this.arrived.push(...parts.map((part) => ({ part, held })));
    this.wake();
  }

  /** The ledger has the part's fate (1). */
  private settled(part: Part): void {
    const key = partKey(part);
    const held = this.held.get(key);
    if (!held) return;
    this.held.delete(key);
    held.open.delete(key);
    if (held.open.size === 0) safely(() => held.channel.ack(held.message as never));
  }

  private giveBack(held: Held): void {
    for (const [key, other] of this.held) if (other === held) this.held.delete(key);
    this.keep((of) => of !== held);
    const again = () => safely(() => held.channel.nack(held.message as never, false, true));
    startTimer(again, REDELIVER_MS);
  }

  /** The broker redelivers what this channel held (3). */
  private forget(channel: AmqpChannel): void {
    this.keep((held) => held.channel !== channel);
  }

  private keep(wanted: (held: Held) => boolean): void {
    const kept = this.arrived.filter(({ held }) => wanted(held));
    this.arrived.splice(0, this.arrived.length, ...kept);
  }
}

function partsOf(message: Message): readonly Part[] | undefined {
  try {
    const parts: unknown = JSON.parse(message.content.toString());
    return Array.isArray(parts) ? parts : undefined;
  } catch {
    return undefined;
  }
}

/** A channel that has closed acknowledges nothing: the broker delivers the message again. */
function safely(act: () => void): void {
  try {
    act();
  } catch {
    // see above
  }
}

/** amqplib publishes Buffers only. */
function bytesOf(value: object): never {
  const { Buffer } = globalThis as unknown as { Buffer: { from(text: string): unknown } };
  return Buffer.from(JSON.stringify(value)) as never;
}
