// One region's connection. It reconnects with backoff and jitter, declares the topology each time,
// and calls its attachments (publisher, subscriptions) for each new connection.
import { type ChannelModel, connect as dial } from "amqplib";
import { at } from "../core/domain/at.ts";
import { messageOf } from "../core/domain/message-of.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import { closeConnection } from "./close.ts";
import { corkPerTick } from "./cork.ts";
import { declare } from "./declare.ts";
import { BrokerUnavailable, TopologyConflict } from "./errors.ts";
import type { Region } from "./region.ts";
import type { Topology } from "./topology.ts";

/** In seconds. Either side drops a connection after two intervals of silence. */
const HEARTBEAT_S = 5;
const CONNECT_TIMEOUT_MS = 5_000;
const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 3_000;

/** Opens a connection to the broker at a URL, as amqplib's `connect` does. */
export type Connect = (
  url: string,
  options: { readonly timeout: number; readonly noDelay: boolean },
) => Promise<ChannelModel>;

export interface ConnectionOptions {
  readonly runtime: Runtime;
  readonly region: Region;
  readonly topology: Topology;
  /** Purpose of the connection, for log lines. */
  readonly name?: string;
  /**
   * Seconds between heartbeats. The broker closes a connection that has been silent for two or
   * three of them and redelivers its messages. Keep it short enough that a worker's lease is not
   * spent waiting for that.
   */
  readonly heartbeatS?: number;
  readonly log?: (event: string, detail: Record<string, unknown>) => void;
  /** Absent: a socket. */
  readonly connect?: Connect;
}

/**
 * Sets up its work on each new connection. If the promise rejects, the connection is dropped and
 * tried again.
 */
export type Attachment = (model: ChannelModel) => Promise<void>;

export class BrokerConnection {
  /** The live connection; undefined while disconnected. */
  model: ChannelModel | undefined;
  /** The broker has asked publishers to stop (memory or disk alarm). */
  blocked = false;
  /** Set when retrying cannot help. */
  conflict: TopologyConflict | undefined;
  /** Called when the broker asks publishers to stop. */
  readonly onBlocked = new Set<() => void>();
  private attachments = new Set<Attachment>();
  private closing = false;
  private attempt = 0;
  private waiters: (() => void)[] = [];
  private lost = Promise.withResolvers<void>();
  private loop: Promise<void> | undefined;
  private readonly log: NonNullable<ConnectionOptions["log"]>;

  constructor(readonly options: ConnectionOptions) {
    this.log = options.log ?? (() => undefined);
  }

  get runtime(): Runtime {
    return this.options.runtime;
  }

  get region(): string {
    return this.options.region.name;
  }

  private get named(): { region: string; connection?: string } {
    const { name } = this.options;
    return { region: this.region, ...(name === undefined ? {} : { connection: name }) };
  }

  /** Of its nodes. */
  private get urls(): readonly string[] {
    const { url, others = [] } = this.options.region;
    return [url, ...others];
  }

  get up(): boolean {
    return this.model !== undefined;
  }

  /**
   * Connects for the first time, to the first node that can be reached. Rejects if it fails for a
   * reason an operator must fix; otherwise it keeps trying.
   */
  async start(): Promise<void> {
    for (const _ of this.urls) {
      if (this.up || this.closing) break;
      await this.tryFirst();
    }
    this.loop = this.keepUp();
  }

  private async tryFirst(): Promise<void> {
    try {
      await this.establish();
    } catch (error) {
      if (error instanceof TopologyConflict) throw error;
      if (isRefusal(error)) throw this.unavailable(error);
      this.attempt++;
      this.log("broker away", { ...this.named, error: messageOf(error) });
    }
  }

  /** Settles when the connection is up. */
  async untilUp(): Promise<void> {
    while (!this.up && !this.closing)
      await new Promise<void>((resolve) => this.waiters.push(resolve));
  }

  /** Adds an attachment; it is called now if connected, and again after every reconnect. */
  async attach(attachment: Attachment): Promise<void> {
    this.attachments.add(attachment);
    if (this.model) await attachment(this.model);
  }

  detach(attachment: Attachment): void {
    this.attachments.delete(attachment);
  }

  async close(): Promise<void> {
    this.closing = true;
    for (const wake of this.waiters.splice(0)) wake();
    const model = this.model;
    this.model = undefined;
    if (model) await closeConnection(this.runtime, model);
    this.lost.resolve();
    await this.loop;
  }

  private async establish(): Promise<void> {
    const { heartbeatS = HEARTBEAT_S, connect = dial } = this.options;
    const url = at(this.urls, this.attempt % this.urls.length);
    const model = await connect(withHeartbeat(url, heartbeatS), {
      timeout: CONNECT_TIMEOUT_MS,
      noDelay: true,
    });
    this.lost = Promise.withResolvers<void>();
    const { lost } = this;
    this.blocked = false;
    let gone = false;
    model.on("error", () => undefined); // 'close' follows
    model.on("close", () => {
      gone = true;
      if (this.model === model) this.model = undefined;
      lost.resolve();
    });
    model.on("blocked", (reason: string) => {
      this.blocked = true;
      this.log("broker blocked", { ...this.named, reason });
      for (const hear of this.onBlocked) hear();
    });
    model.on("unblocked", () => {
      this.blocked = false;
      this.log("broker unblocked", this.named);
    });
    try {
      corkPerTick(model);
      await declare(this.runtime, model, this.options.topology, this.region);
      for (const attachment of this.attachments) await attachment(model);
      if (gone || this.closing) throw new Error(`${gone ? "lost" : "closed"} during set-up`);
    } catch (error) {
      await closeConnection(this.runtime, model);
      throw error;
    }
    this.attempt = 0;
    this.model = model;
    for (const wake of this.waiters.splice(0)) wake();
    this.log("broker up", this.named);
  }

  private async keepUp(): Promise<void> {
    while (!this.closing) {
      if (this.model) {
        await this.lost.promise;
        if (this.closing) return;
        this.log("broker lost", this.named);
      }
      const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** this.attempt++);
      await this.runtime.sleep(ceiling * (0.5 + this.runtime.random() / 2));
      if (this.closing) return;
      try {
        await this.establish();
      } catch (error) {
        if (error instanceof TopologyConflict) this.conflict = error;
        this.log("broker away", { ...this.named, error: messageOf(error) });
      }
    }
  }

  private unavailable(error: unknown): BrokerUnavailable {
    return new BrokerUnavailable(
      `region '${this.region}': the broker refuses the connection (check SLUICE_REGIONS): ` +
        messageOf(error),
    );
  }
}

function withHeartbeat(url: string, seconds: number): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has("heartbeat")) parsed.searchParams.set("heartbeat", String(seconds));
  return parsed.toString();
}

/** AMQP 0-9-1: access-refused, not-allowed. */
const REFUSED = new Set([403, 530]);
/** The library gives the code of a handshake's end only at the start of its message. */
const HANDSHAKE_ENDED = /^Handshake terminated by server: (\d{3}) \(/;

/** The broker refused: wrong user, password or virtual host. */
export function isRefusal(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  const ended = HANDSHAKE_ENDED.exec(messageOf(error));
  return REFUSED.has(ended ? Number(ended[1]) : Number(code));
}
