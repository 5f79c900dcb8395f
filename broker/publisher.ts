// Publishes with confirms. The answer says what is known: confirmed; refused for sure; never sent;
// or unknown.
import type { ChannelModel, ConfirmChannel, Options } from "amqplib";
import { messageOf } from "../core/domain/message-of.ts";
import { countIgnored } from "../core/runtime/ignored.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import { userOf } from "./accounts.ts";
import { answered } from "./answer.ts";
import { closeConnection } from "./close.ts";
import type { BrokerConnection } from "./connection.ts";

/**
 * `confirmed`: a queue has it. `nacked` (queue full) and `returned` (no queue): it has not.
 * `unsent`: the connection is away or blocked, or too much is under way; nothing left this process.
 * `unknown`: the confirm is missing; it may be there.
 */
export type PublishOutcome = "confirmed" | "nacked" | "returned" | "unsent" | "unknown";

export interface PublishProperties {
  readonly messageId?: string;
  /** Who published: the gateway's id. */
  readonly appId?: string;
  readonly type?: string;
  /** The queue an answer goes to. */
  readonly replyTo?: string;
  readonly headers?: Record<string, unknown>;
  /** Ms after which the queue gives the message up, to its dead letters. */
  readonly expiration?: number;
}

/**
 * Messages awaiting a confirm on one connection: one per shard and process in normal work, so this
 * only bounds what goes wrong.
 */
const MAX_IN_FLIGHT = 1_024;
/** Confirms that were on their way when the alarm was raised come within this. */
const BLOCKED_GRACE_MS = 50;
/**
 * A push that finds this many bytes waiting on the connection is dropped: clients catch up from the
 * ledger.
 */
const MAX_PUSH_BACKLOG_BYTES = 8 * 1024 * 1024;

interface InFlight {
  settle(outcome: PublishOutcome): void;
  returned: boolean;
}

export class Publisher {
  private channel: ConfirmChannel | undefined;
  private readonly inFlight = new Map<string, InFlight>();
  private nextTag = 0;
  private readonly runtime: Runtime;
  /** The broker refuses any other user than the connection's, so that readers can rely on it. */
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

  /** Whether a publish would be sent now. */
  get ready(): boolean {
    return (
      this.channel !== undefined && !this.connection.blocked && this.inFlight.size < MAX_IN_FLIGHT
    );
  }

  publish(
    exchange: string,
    key: string,
    body: Buffer,
    properties: PublishProperties = {},
  ): Promise<PublishOutcome> {
    const { channel } = this;
    if (!channel || !this.ready) return Promise.resolve("unsent");
    const { promise, resolve } = Promise.withResolvers<PublishOutcome>();
    const tag = String(this.nextTag++);
    const timer = this.runtime.startTimer(
      () => entry.settle("unknown"),
      this.options.confirmTimeoutMs,
    );
    const entry: InFlight = {
      returned: false,
      settle: (outcome) => {
        if (!this.inFlight.delete(tag)) return;
        this.runtime.stopTimer(timer);
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
      // The broker sends the return of an unroutable message before its confirm.
      channel.publish(exchange, key, body, options, (error) => {
        if (entry.returned) entry.settle("returned");
        else entry.settle(error ? refusal(error) : "confirmed");
      });
    } catch {
      entry.settle("unsent"); // the channel was closed before a byte was written
    }
    return promise;
  }

  /**
   * Best effort to a queue: transient, unconfirmed, dropped when nobody is there or the connection
   * is slow.
   */
  push(queue: string, body: string): void {
    const { channel } = this;
    if (!channel || this.connection.blocked || backlog(channel) > MAX_PUSH_BACKLOG_BYTES) return;
    try {
      channel.publish("", queue, Buffer.from(body), {
        persistent: false,
        contentType: "application/json",
      });
    } catch {
      countIgnored("push"); // closed meanwhile
    }
  }

  /**
   * A broker with an alarm reads nothing more: what it has not confirmed by then is not known, and
   * nobody is kept waiting for it.
   */
  private giveUpSoon(): void {
    const open = [...this.inFlight.values()];
    this.runtime.startTimer(() => {
      if (this.connection.blocked) for (const entry of open) entry.settle("unknown");
    }, BLOCKED_GRACE_MS);
  }

  private async open(model: ChannelModel): Promise<void> {
    const channel = await answered(this.runtime, model, model.createConfirmChannel());
    // The broker refused something by closing the channel (no such exchange, too large a message):
    // a new connection declares all anew.
    channel.on("error", () => void closeConnection(this.runtime, model));
    channel.on("return", (message) => {
      const entry = this.inFlight.get(String(message.properties.headers?.["x-sluice-tag"]));
      if (entry) entry.returned = true;
    });
    channel.on("close", () => {
      if (this.channel === channel) this.channel = undefined;
      for (const entry of [...this.inFlight.values()]) entry.settle("unknown");
    });
    this.channel = channel;
  }
}

/**
 * amqplib ends what is unconfirmed with an error as well when the channel closes: only its own word
 * for a nack is one.
 */
function refusal(error: unknown): PublishOutcome {
  return messageOf(error) === "message nacked" ? "nacked" : "unknown";
}

function backlog(channel: ConfirmChannel): number {
  const { connection } = channel as unknown as {
    connection: { stream?: { writableLength?: number } };
  };
  return connection.stream?.writableLength ?? 0;
}
