// Publishes with confirms. The outcome states what is known: confirmed, refused, never sent, or
// unknown.
//
// 1. Every publish settles once: by its confirm, its timeout, an alarm, or the end of its channel.
// 2. `unsent` and `nacked` are certain. A message that may have reached a queue is `unknown`.
// 3. Messages in flight and the bytes of waiting pushes are bounded.
import type { ChannelModel, ConfirmChannel, Options } from "amqplib";
import { messageOf } from "../core/domain/message-of.ts";
import { countIgnored } from "../core/runtime/ignored.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import { userOf } from "./accounts.ts";
import { answered } from "./answer.ts";
import { closeConnection } from "./close.ts";
import type { BrokerConnection } from "./connection.ts";
import { NO_QUEUE } from "./topology.ts";

/**
 * `confirmed`: a queue has it. `nacked` (queue full) and `returned` (no queue): no queue has it.
 * `unsent`: disconnected, blocked or too many in flight; nothing left this process.
 * `unknown`: the confirm did not arrive; a queue may have it.
 */
export type PublishOutcome = "confirmed" | "nacked" | "returned" | "unsent" | "unknown";

export interface PublishProperties {
  readonly messageId?: string;
  /** The publisher: the gateway's id. */
  readonly appId?: string;
  readonly type?: string;
  /** The queue for the answer. */
  readonly replyTo?: string;
  readonly headers?: Record<string, unknown>;
  /** After this time the queue dead-letters the message, ms. */
  readonly expiration?: number;
}

/**
 * Messages awaiting a confirm on one connection. In normal work there is one per shard and process,
 * so this only limits the damage when something goes wrong.
 */
const MAX_IN_FLIGHT = 1_024;
/** A timer this late: the process was held up, and its confirms wait in the socket, unread … */
const HELD_UP_MS = 100;
/** … and this is enough to read them. */
const READ_MS = 50;
/** Confirms already on their way when the alarm is raised arrive within this time. */
const BLOCKED_GRACE_MS = 50;
/**
 * A push is dropped when the connection has this many bytes waiting: clients catch up from the
 * ledger.
 */
const MAX_PUSH_BACKLOG_BYTES = 8 * 1024 * 1024;
const NOTHING = Buffer.alloc(0);

interface InFlight {
  settle(outcome: PublishOutcome): void;
  returned: boolean;
}

export class Publisher {
  /** Receives pushes that asked to come back if their queue does not exist. */
  onReturned: ((queue: string, body: string) => void) | undefined;
  private channel: ConfirmChannel | undefined;
  private readonly inFlight = new Map<string, InFlight>();
  private nextTag = 0;
  private readonly runtime: Runtime;
  /** The broker rejects any user but the connection's own, so consumers can rely on it. */
  private readonly userId: string;

  constructor(
    private readonly connection: BrokerConnection,
    private readonly options: { readonly confirmTimeoutMs: number },
  ) {
    this.runtime = connection.runtime;
    this.userId = userOf(connection.options.region.url);
  }

  async start(): Promise<void> {
    this.connection.onBlocked.add(() => this.giveUpSoon());
    await this.connection.attach((model) => this.open(model));
  }

  /** Whether a publish would be sent right now. */
  get ready(): boolean {
    return (
      this.channel !== undefined && !this.connection.blocked && this.inFlight.size < MAX_IN_FLIGHT
    );
  }

  /** `limitMs`: how long to wait for the confirm. */
  publish(
    exchange: string,
    key: string,
    body: Buffer,
    properties: PublishProperties = {},
    limitMs = this.options.confirmTimeoutMs,
  ): Promise<PublishOutcome> {
    const { channel } = this;
    if (!channel || !this.ready) return Promise.resolve("unsent"); // 2, 3
    const { promise, resolve } = Promise.withResolvers<PublishOutcome>();
    const tag = String(this.nextTag++);
    const { startTimer, stopTimer, monotonicMs } = this.runtime;
    const giveUp = () => entry.settle("unknown");
    const heldUpMs = monotonicMs() + limitMs + HELD_UP_MS;
    let timer = startTimer(() => {
      if (monotonicMs() < heldUpMs) giveUp();
      else timer = startTimer(giveUp, READ_MS);
    }, limitMs);
    const entry: InFlight = {
      returned: false,
      settle: (outcome) => {
        if (!this.inFlight.delete(tag)) return; // 1
        stopTimer(timer);
        resolve(outcome);
      },
    };
    this.inFlight.set(tag, entry);
    const headers = { ...properties.headers, "x-sluice-tag": tag };
    const options: Options.Publish = {
      ...properties,
      headers,
      userId: this.userId,
      persistent: true,
      mandatory: true,
      contentType: "application/json",
    };
    try {
      // The broker returns an unroutable message before it confirms it.
      channel.publish(exchange, key, body, options, (error) => {
        if (entry.returned) entry.settle("returned");
        else entry.settle(error ? refusal(error) : "confirmed");
      });
    } catch {
      entry.settle("unsent"); // 2: the channel was closed before a byte was written
    }
    return promise;
  }

  /**
   * Best effort to a queue: transient, unconfirmed, dropped if the queue does not exist or the
   * connection is slow. `returns`: it comes back to onReturned if the queue does not exist.
   */
  push(queue: string, body: string, returns = false): void {
    const { channel } = this;
    if (!channel || this.connection.blocked || backlog(channel) > MAX_PUSH_BACKLOG_BYTES) return;
    try {
      channel.publish("", queue, Buffer.from(body), {
        persistent: false,
        mandatory: returns,
        contentType: "application/json",
      });
    } catch {
      countIgnored("push"); // closed in the meantime
    }
  }

  /** Whether the broker answers a message to an exchange in time. No binding has its key. */
  async reaches(exchange: string, limitMs: number): Promise<boolean> {
    return (await this.publish(exchange, NO_QUEUE, NOTHING, {}, limitMs)) === "returned";
  }

  /** Whatever is still unconfirmed becomes unknown now. */
  giveUp(): void {
    for (const entry of [...this.inFlight.values()]) entry.settle("unknown"); // 1
  }

  /**
   * A broker under an alarm reads nothing more. Whatever is still unconfirmed then becomes unknown,
   * so nobody waits for it.
   */
  private giveUpSoon(): void {
    const open = [...this.inFlight.values()];
    this.runtime.startTimer(() => {
      if (this.connection.blocked) for (const entry of open) entry.settle("unknown"); // 1
    }, BLOCKED_GRACE_MS);
  }

  private async open(model: ChannelModel): Promise<void> {
    const channel = await answered(this.runtime, model, model.createConfirmChannel());
    // The broker closes the channel to refuse something (no such exchange, message too large): a
    // new connection declares everything again.
    channel.on("error", () => void closeConnection(this.runtime, model));
    channel.on("return", (message) => {
      const tag: unknown = message.properties.headers?.["x-sluice-tag"];
      const entry = this.inFlight.get(String(tag));
      if (entry) entry.returned = true;
      if (tag === undefined)
        this.onReturned?.(message.fields.routingKey, message.content.toString());
    });
    channel.on("close", () => {
      if (this.channel === channel) this.channel = undefined;
      this.giveUp(); // 2
    });
    this.channel = channel;
  }
}

/**
 * When a channel closes, amqplib also fails unconfirmed messages with an error; only its own nack
 * error means a nack.
 */
function refusal(error: unknown): PublishOutcome {
  return messageOf(error) === "message nacked" ? "nacked" : "unknown"; // 2
}

function backlog(channel: ConfirmChannel): number {
  const { connection } = channel as unknown as {
    connection: { stream?: { writableLength?: number } };
  };
  return connection.stream?.writableLength ?? 0;
}
