// A process's connection to the simulated Redis, as ioredis presents it to RedisStore
// (core/stores/redis.ts): it never repeats a call, has no offline queue, and redials by itself.
import type { Runtime, Timer } from "../../../core/runtime/runtime.ts";
import type { Dial } from "../../../core/stores/redis.ts";
import { Link } from "./link.ts";
import type { WorldRedis } from "./redis.ts";
import type { WorldScheduler } from "./scheduler.ts";

type Argument = string | number | Buffer;
type Status = "wait" | "connecting" | "ready" | "reconnecting" | "end";

export interface SimulatedRedisOptions {
  readonly scheduler: WorldScheduler;
  readonly redis: WorldRedis;
  /** The process. */
  readonly name: string;
  /** Its clocks and timers. */
  readonly runtime: Runtime;
  readonly options: Parameters<Dial>[1];
}

export class SimulatedRedis {
  status: Status = "wait";
  readonly link: Link;
  private readonly hearers: ((error: Error) => void)[] = [];
  private attempt = 0;
  private redialling: Timer | undefined;
  private connection = 0;

  constructor(private readonly made: SimulatedRedisOptions) {
    const { scheduler, name } = made;
    this.link = new Link({
      scheduler,
      name: `${name} redis`,
      lost: (what) => new Error(`Connection is closed: ${what}`),
      broken: () => this.dropped("the connection broke"),
      overlap: () => made.redis.flush(),
    });
  }

  get name(): string {
    return this.made.name;
  }

  on(event: "error", hear: (error: Error) => void): this {
    if (event === "error") this.hearers.push(hear);
    return this;
  }

  async connect(): Promise<void> {
    this.status = "connecting";
    try {
      await this.inTime("connect", this.made.options.connectTimeout, () => this.greet());
    } catch (error) {
      this.dropped(String(error));
      throw error;
    }
    if (this.status !== "connecting") throw new Error("Connection is closed.");
    this.attempt = 0;
    this.status = "ready";
  }

  disconnect(): void {
    this.status = "end";
    this.made.runtime.stopTimer(this.redialling);
    this.made.redis.forget(this);
    this.link.break();
  }

  /** The connection breaks: calls in flight fail, and it redials. */
  broken(why: string): void {
    this.link.break();
    if (this.status === "ready") this.dropped(why);
  }

  /** The process is gone. */
  crash(): void {
    this.status = "end";
    this.made.redis.forget(this);
    this.link.crash();
  }

  // Commands, as the stores call them.

  call(command: string, ...args: Argument[]): Promise<unknown> {
    return this.command(command, args);
  }
  fcall(name: string, count: number, ...rest: Argument[]): Promise<unknown> {
    return this.command("FCALL", [name, count, ...rest]);
  }
  ping(): Promise<unknown> {
    return this.command("PING", []);
  }
  time(): Promise<unknown> {
    return this.command("TIME", []);
  }
  info(...sections: Argument[]): Promise<unknown> {
    return this.command("INFO", sections);
  }
  get(key: string): Promise<unknown> {
    return this.command("GET", [key]);
  }
  pttl(key: string): Promise<unknown> {
    return this.command("PTTL", [key]);
  }
  del(...keys: Argument[]): Promise<unknown> {
    return this.command("DEL", keys);
  }
  hget(key: string, field: string): Promise<unknown> {
    return this.command("HGET", [key, field]);
  }
  hset(key: string, ...fields: Argument[]): Promise<unknown> {
    return this.command("HSET", [key, ...fields]);
  }
  hdel(key: string, ...fields: Argument[]): Promise<unknown> {
    return this.command("HDEL", [key, ...fields]);
  }
  hmget(key: string, ...fields: Argument[]): Promise<unknown> {
    return this.command("HMGET", [key, ...fields]);
  }
  hvals(key: string): Promise<unknown> {
    return this.command("HVALS", [key]);
  }
  async hgetall(key: string): Promise<Record<string, string>> {
    const flat = (await this.command("HGETALL", [key])) as string[];
    const found: Record<string, string> = {};
    for (let i = 0; i < flat.length; i += 2) found[flat[i] as string] = flat[i + 1] as string;
    return found;
  }
  llen(key: string): Promise<unknown> {
    return this.command("LLEN", [key]);
  }
  sismember(key: string, member: string): Promise<unknown> {
    return this.command("SISMEMBER", [key, member]);
  }
  xlen(key: string): Promise<unknown> {
    return this.command("XLEN", [key]);
  }
  xrange(key: string, from: string, to: string, ...rest: Argument[]): Promise<unknown> {
    return this.command("XRANGE", [key, from, to, ...rest]);
  }
  scan(cursor: string, ...rest: Argument[]): Promise<unknown> {
    return this.command("SCAN", [cursor, ...rest]);
  }

  private command(name: string, args: readonly Argument[]): Promise<unknown> {
    if (this.status !== "ready")
      return Promise.reject(
        new Error("Stream isn't writeable and enableOfflineQueue options is false"),
      );
    const what = name === "FCALL" ? `fcall ${args[0]}` : name.toLowerCase();
    const { commandTimeout } = this.made.options;
    return this.inTime(what, commandTimeout, () => this.made.redis.execute([name, ...args]));
  }

  private async greet(): Promise<void> {
    const { redis } = this.made;
    if (!redis.running) throw new Error("connect ECONNREFUSED");
    if (redis.refusing?.what === "all") throw new Error(redis.refusing.text);
  }

  /** After a call without an answer the connection is not trusted any more: it is redialled. */
  private async inTime(
    what: string,
    limitMs: number | undefined,
    run: () => Promise<unknown>,
  ): Promise<unknown> {
    const { runtime } = this.made;
    const { connection } = this;
    const late = Promise.withResolvers<never>();
    const timer = runtime.startTimer(() => {
      late.reject(new Error("Command timed out"));
      if (connection === this.connection) this.broken("Socket timeout");
    }, limitMs ?? 5_000);
    try {
      return await Promise.race([this.link.call(what, run), late.promise]);
    } finally {
      runtime.stopTimer(timer);
    }
  }

  private dropped(why: string): void {
    if (this.status === "end" || this.status === "reconnecting") return;
    this.status = "reconnecting";
    this.connection++;
    for (const hear of this.hearers) hear(new Error(why));
    const waitMs = this.made.options.retryStrategy?.(++this.attempt);
    this.redialling = this.made.runtime.startTimer(
      () => void this.connect().catch(() => undefined), // `dropped` redials
      typeof waitMs === "number" ? waitMs : 1_000,
    );
  }
}
