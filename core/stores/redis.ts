// The connection to Redis, and the only way to call a function of the library.
import { type RedisOptions as ClientOptions, Redis, ReplyError } from "ioredis";
import { messageOf } from "../domain/message-of.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { codeOf, type ErrorReply, errorReply, isReply, Troubles } from "./error-replies.ts";
import { buildLibrary, type FunctionName, type Library } from "./library.ts";

/** Redis could not be reached, or its answer was lost: the call may have taken effect. */
export class StoreUnavailable extends Error {
  override name = "StoreUnavailable";
}

/** Redis refuses this process until an operator changes the settings or Redis. */
export class StoreRefused extends StoreUnavailable {
  override name = "StoreRefused";
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
/** The name of all plain commands, beside those of the functions. */
const PLAIN = "command";
const RECONNECT_MIN_MS = 50;
const RECONNECT_MAX_MS = 1_000;

/** Never repeats a call by itself: only the caller knows what to do about a lost answer. */
export class RedisStore {
  readonly client: Redis;
  readonly library: Library;
  private readonly troubles: Troubles;
  private loading: Promise<void> | undefined;
  /** Why there is no connection. */
  private refusal: Error | undefined;

  constructor(options: RedisOptions) {
    this.troubles = new Troubles(options.runtime.monotonicMs);
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
      reconnectOnError: (error) => errorReply(error)?.treatment === "redial",
    });
    this.client.on("error", (error) => {
      this.refusal = error;
      options.onError?.(error);
    });
    this.client.on("ready", () => {
      this.refusal = undefined;
    });
  }

  /**
   * Connects and loads the library. If Redis cannot be reached, rejects but keeps reconnecting.
   * Throws StoreRefused if that would not help.
   */
  async connect(): Promise<void> {
    await this.reach();
    await this.loadLibrary();
  }

  /** Connects as connect() does, but loads nothing: for those who only look. */
  async reach(): Promise<void> {
    try {
      await this.client.connect();
    } catch (error) {
      const cause = errorReply(this.refusal)?.treatment === "refuse" ? this.refusal : error;
      throw unavailable(errorReply(cause), lost(cause, "Redis cannot be reached"));
    }
  }

  get connected(): boolean {
    return this.client.status === "ready";
  }

  /** `up`, `away`, or what Redis's last error replies say (error-replies.ts). */
  get state(): string {
    const { state } = this.troubles;
    if (this.connected) return state ?? "up";
    return state ?? errorReply(this.refusal)?.state ?? "away";
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
        const reply = await this.client.fcall(name, keys.length, ...keys, ...args);
        this.troubles.succeeded(fn);
        return reply;
      } catch (error) {
        // A missing function has no error code of its own: the list of libraries shows it.
        const maybe = attempt === 0 && isReply(error) && codeOf(error) === "ERR";
        if (!maybe || (await this.hasLibrary())) throw this.asStoreError(fn, error);
        await this.loadLibrary();
      }
    }
  }

  /** Runs a plain command, translating its errors. */
  async run<T>(command: (client: Redis) => Promise<T>): Promise<T> {
    try {
      return await command(this.client);
    } catch (error) {
      throw this.asStoreError(PLAIN, error);
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
    // Its name carries a hash of its text, so another process can only have loaded the same.
    await this.run((client) => client.call("FUNCTION", "LOAD", "REPLACE", this.library.text));
  }

  private async hasLibrary(): Promise<boolean> {
    const { name } = this.library;
    const list = await this.run((client) => client.call("FUNCTION", "LIST", "LIBRARYNAME", name));
    return (list as readonly unknown[]).length > 0;
  }

  private asStoreError(call: string, error: unknown): Error {
    if (!isReply(error)) return new StoreUnavailable(lost(error));
    const known = errorReply(error);
    if (known) {
      this.troubles.failed(call, known);
      return unavailable(known, `Redis: ${error.message}`);
    }
    const bad = /^BADROW (\d+) (-?\d+) (.*)/.exec(error.message);
    return bad ? new BadRow(Number(bad[1]), Number(bad[2]), bad[3] ?? "") : error;
  }
}

/** Without a connection, the client's error is about its own options. */
function lost(error: unknown, what = "Redis"): string {
  const text = messageOf(error);
  const gone = /isn't writeable|Connection is closed/.test(text);
  return gone ? "Redis does not answer" : `${what}: ${text}`;
}

function unavailable(reply: ErrorReply | undefined, text: string): StoreUnavailable {
  return reply?.treatment === "refuse"
    ? new StoreRefused(`${text} (SLUICE_REDIS_URL)`)
    : new StoreUnavailable(text);
}
