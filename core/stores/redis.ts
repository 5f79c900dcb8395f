// The connection to Redis, and the only way to call a function of the library.
import { type RedisOptions as ClientOptions, Redis, ReplyError } from "ioredis";
import { messageOf } from "../domain/message-of.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { buildLibrary, type FunctionName, type Library } from "./library.ts";

/** Redis could not be reached, or its answer was lost: the call may have taken effect. */
export class StoreUnavailable extends Error {
  override name = "StoreUnavailable";
}

/**
 * `decide` rejected a row, and nothing was written. `index` is the message and `row` the row in it,
 * both from 0; row −1 is the message itself.
 */
export class BadRow extends Error {
  override name = "BadRow";
  constructor(
    readonly index: number,
    readonly row: number,
    text: string,
  ) {
    super(text);
  }
}

/** Makes a client, which connects later. */
export type Dial = (url: string, options: ClientOptions) => Redis;

/** An error that Redis itself replied with, as the client reports it. */
export const replyError = (text: string): Error => new ReplyError(text);

export interface RedisOptions {
  readonly runtime: Runtime;
  readonly url: string;
  /** Absent: the real client. */
  readonly dial?: Dial;
  readonly library?: Library;
  /** After this long without an answer, the call and its connection count as lost. */
  readonly callTimeoutMs?: number;
  /** Called with each connection error; the connection keeps reconnecting. */
  readonly onError?: (error: Error) => void;
}

/** A call takes milliseconds, but seconds while Redis is busy with a slow disk or a long script. */
const DEFAULT_CALL_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_MIN_MS = 50;
const RECONNECT_MAX_MS = 1_000;

/** Never repeats a call by itself: only the caller knows what to do about a lost answer. */
export class RedisStore {
  readonly client: Redis;
  readonly library: Library;
  private loading: Promise<void> | undefined;

  constructor(options: RedisOptions) {
    const callTimeoutMs = options.callTimeoutMs ?? DEFAULT_CALL_TIMEOUT_MS;
    this.library = options.library ?? buildLibrary();
    const { dial = (url, settings) => new Redis(url, settings) } = options;
    this.client = dial(options.url, {
      autoResendUnfulfilledCommands: false,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      commandTimeout: callTimeoutMs,
      // Drops and redials a connection on which a call has waited this long in silence. Otherwise
      // the kernel may keep a dead connection for a quarter of an hour.
      socketTimeout: callTimeoutMs,
      connectTimeout: CONNECT_TIMEOUT_MS,
      lazyConnect: true,
      retryStrategy: (attempt) =>
        Math.min(RECONNECT_MAX_MS, RECONNECT_MIN_MS * 2 ** Math.min(attempt, 6)) *
        (0.5 + options.runtime.random() / 2),
    });
    this.client.on("error", (error) => options.onError?.(error));
  }

  /** Connects and loads the library. If Redis cannot be reached, rejects but keeps reconnecting. */
  async connect(): Promise<void> {
    try {
      await this.client.connect();
    } catch (error) {
      throw new StoreUnavailable(`Redis cannot be reached: ${messageOf(error)}`);
    }
    await this.loadLibrary();
  }

  get connected(): boolean {
    return this.client.status === "ready";
  }

  /** Calls a function. Loads the library first if Redis does not have it. */
  async call(
    fn: FunctionName,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): Promise<unknown> {
    const name = this.library.fcall[fn];
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.client.fcall(name, keys.length, ...keys, ...args);
      } catch (error) {
        if (
          attempt === 0 &&
          error instanceof ReplyError &&
          /Function not found/i.test(messageOf(error))
        )
          await this.loadLibrary();
        else throw asStoreError(error);
      }
    }
  }

  /** Runs a plain command, translating its errors. */
  async run<T>(command: (client: Redis) => Promise<T>): Promise<T> {
    try {
      return await command(this.client);
    } catch (error) {
      throw asStoreError(error);
    }
  }

  async close(): Promise<void> {
    this.client.disconnect();
  }

  private loadLibrary(): Promise<void> {
    this.loading ??= this.loadOnce().finally(() => {
      this.loading = undefined;
    });
    return this.loading;
  }

  private async loadOnce(): Promise<void> {
    try {
      await this.client.call("FUNCTION", "LOAD", this.library.text);
    } catch (error) {
      if (!/already exists/i.test(messageOf(error))) throw asStoreError(error);
    }
  }
}

/** Replies that mean that Redis cannot serve now, not that the call was wrong. */
const PASSING =
  /^(LOADING|BUSY|MASTERDOWN|READONLY|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|MISCONF|OOM|UNBLOCKED)\b/;

/** ioredis exports the class, but not its type. */
const isReply = (error: unknown): error is Error => error instanceof ReplyError;

function asStoreError(error: unknown): Error {
  if (!isReply(error)) return new StoreUnavailable(`Redis: ${messageOf(error)}`);
  const bad = /^BADROW (\d+) (-?\d+) (.*)/.exec(error.message);
  if (bad) return new BadRow(Number(bad[1]), Number(bad[2]), bad[3] ?? "");
  if (PASSING.test(error.message)) return new StoreUnavailable(`Redis: ${error.message}`);
  return error;
}
