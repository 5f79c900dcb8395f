// Redis in a simulated world: the real functions on a real server, with content that can be lost,
// go back or be replaced by an older copy, a clock that drifts and jumps, and errors of each class.
import type { Runtime } from "../../../core/runtime/runtime.ts";
import { type Dial, replyError } from "../../../core/stores/redis.ts";
import { NO_TROUBLE, type Trouble } from "./link.ts";
import { SimulatedRedis } from "./redis-client.ts";
import { DATABASES, type RedisServer } from "./redis-server.ts";
import type { Command } from "./resp.ts";
import type { WorldScheduler } from "./scheduler.ts";

/** A copy of the content, with its expiries. Functions are not part of it. */
export interface RedisCopy {
  readonly database: number;
  /** Copies are reused; an older use of the same database is void. */
  readonly use: number;
}

/** What Redis replies instead of serving. `writes`: it still serves plain reads. */
export interface Refusing {
  readonly text: string;
  readonly what: "all" | "writes";
}

/** Replies by which Redis refuses to serve. */
export const REFUSALS = {
  readonly: { text: "READONLY You can't write against a read only replica.", what: "writes" },
  loading: { text: "LOADING Redis is loading the dataset in memory", what: "all" },
  oom: { text: "OOM command not allowed when used memory > 'maxmemory'.", what: "writes" },
  misconf: { text: "MISCONF Errors writing to the AOF file: No space left", what: "writes" },
  busy: { text: "BUSY Redis is busy running a script.", what: "all" },
} as const satisfies Record<string, Refusing>;

/** Plain commands that only read. */
const READS = new Set(
  [
    "GET",
    "PTTL",
    "HGET",
    "HMGET",
    "HGETALL",
    "HVALS",
    "LLEN",
    "XLEN",
    "XRANGE",
    "SISMEMBER",
    "SCAN",
  ].concat(["TIME", "INFO", "PING"]),
);

export class WorldRedis {
  /** What every command is answered with, while it is set. */
  refusing: Refusing | undefined;
  /** As INFO reports it. */
  usedMemory = 16 * 1024 * 1024;
  private aheadMs = 0;
  private drift = 0;
  private driftsFromMs = 0;
  private readonly functions = new Set<string>();
  private readonly clients = new Set<SimulatedRedis>();
  /** Processes that Redis is cut off from; undefined stands for all. */
  private readonly cutOff = new Set<string | undefined>();
  private usual: Trouble = NO_TROUBLE;
  private down = false;
  private copies = 0;

  private constructor(
    private readonly scheduler: WorldScheduler,
    private readonly server: RedisServer,
  ) {}

  /** An empty Redis without functions, on a server that no other simulation uses meanwhile. */
  static async create(scheduler: WorldScheduler, server: RedisServer): Promise<WorldRedis> {
    await server.send(["FLUSHALL", "SYNC"]);
    return new WorldRedis(scheduler, server);
  }

  /** How a process called `name` connects; pass it as RedisOptions.dial. */
  dialer(name: string, runtime: Runtime): Dial {
    return (_url, options) => {
      const { scheduler } = this;
      const client = new SimulatedRedis({ scheduler, redis: this, name, runtime, options });
      client.link.trouble = this.usual;
      if (this.isCut(name)) client.link.hold("cut", "both");
      this.clients.add(client);
      return client as unknown as ReturnType<Dial>;
    };
  }

  // The clock.

  /** Redis's clock, Unix ms. */
  readonly nowMs = (): number => {
    const trueMs = this.scheduler.nowMs();
    return trueMs + this.aheadMs + (trueMs - this.driftsFromMs) * this.drift;
  };

  jumpClock(byMs: number): void {
    this.aheadMs += byMs;
  }

  /** From now on its clock gains `drift` ms in each ms. */
  driftClock(drift: number): void {
    const trueMs = this.scheduler.nowMs();
    this.aheadMs += (trueMs - this.driftsFromMs) * this.drift;
    this.driftsFromMs = trueMs;
    this.drift = drift;
  }

  // The content.

  /** A copy of the content as of now, for `become`. The oldest copies are dropped. */
  async copy(): Promise<RedisCopy> {
    const use = ++this.copies;
    const database = 1 + ((use - 1) % (DATABASES - 1));
    await this.own("sim_copy", ["0", String(database)]);
    return { database, use };
  }

  /** The content is that of the copy: a fork, an older file, or a replica that lagged. */
  async become(copy: RedisCopy): Promise<void> {
    if (copy.use <= this.copies - (DATABASES - 1)) throw new Error("this copy is dropped");
    await this.own("sim_copy", [String(copy.database), "0"]);
  }

  async wipe(): Promise<void> {
    await this.server.send(["FLUSHDB"]);
  }

  /** Loses all keys that begin with one of these; `{3}:` is a shard. Returns how many. */
  async lose(prefixes: readonly string[]): Promise<number> {
    return Number(await this.own("sim_lose", prefixes));
  }

  /** Loses the functions, as FUNCTION FLUSH does. */
  loseFunctions(): void {
    this.functions.clear();
  }

  // The process.

  /** It accepts no connection and drops those there are, until `start`. */
  stop(): void {
    this.down = true;
    this.reset();
  }

  start(): void {
    this.down = false;
  }

  get running(): boolean {
    return !this.down;
  }

  // The network, and processes. A process that starts again has another name.

  set trouble(trouble: Trouble) {
    this.usual = trouble;
    for (const { link } of this.clients) link.trouble = trouble;
  }

  /** Nothing gets through between Redis and a process, or all, until `heal`. */
  cut(process?: string): void {
    this.cutOff.add(process);
    for (const { link } of this.of(process)) link.hold("cut", "both");
  }

  heal(process?: string): void {
    this.cutOff.delete(process);
    for (const { link, name } of this.of(process)) if (!this.isCut(name)) link.release("cut");
  }

  /** Connections break: those of a process, or all. */
  reset(process?: string): void {
    for (const client of this.of(process)) client.broken("the connection was reset");
  }

  freeze(process: string): void {
    for (const { link } of this.of(process)) link.hold("frozen", "answers");
  }

  thaw(process: string): void {
    for (const { link } of this.of(process)) link.release("frozen");
  }

  /** A process has ended; what it had sent may still arrive. */
  crashed(process: string): void {
    for (const client of this.of(process)) client.crash();
  }

  forget(client: SimulatedRedis): void {
    this.clients.delete(client);
  }

  private of(process: string | undefined): SimulatedRedis[] {
    return [...this.clients].filter(({ name }) => process === undefined || name === process);
  }

  private isCut(process: string): boolean {
    return this.cutOff.has(undefined) || this.cutOff.has(process);
  }

  // What arrives from clients.

  /** Must be called before the result of `execute` is awaited. */
  flush(): void {
    this.server.flush();
  }

  /** Runs a command of a client, now. Commands take effect in the order of the calls. */
  async execute(command: Command): Promise<unknown> {
    const name = String(command[0]).toUpperCase();
    const { refusing } = this;
    if (refusing && (refusing.what === "all" || !READS.has(name))) throw replyError(refusing.text);
    switch (name) {
      case "TIME":
        return this.time();
      case "INFO":
        return `used_memory:${this.usedMemory}\r\nmaxmemory:0\r\nloading:0\r\n`;
      case "FCALL":
        return this.fcall(command);
      case "FUNCTION":
        return String(command[1]) === "LIST"
          ? this.libraries(String(command[3]))
          : this.load(String(command[3]));
      case "PTTL":
        return this.give("sim_pttl", [String(command[1])]);
      case "SCAN":
        return ["0", await this.give("sim_keys", [String(command[3])])];
      default: {
        const [, reply] = await Promise.all([
          this.give("sim_expire", []),
          this.server.give(command),
        ]);
        return reply;
      }
    }
  }

  private time(): [string, string] {
    const micros = Math.floor(this.nowMs() * 1_000);
    return [String(Math.floor(micros / 1e6)), String(micros % 1e6)];
  }

  private fcall(command: Command): Promise<unknown> {
    if (!this.functions.has(String(command[1])))
      return Promise.reject(replyError("ERR Function not found"));
    return this.server.give([...command, this.nowMs()]);
  }

  /** FUNCTION LIST: the library of this name, if its functions are here. */
  private libraries(name: string): Promise<string[]> {
    const version = name.slice(name.lastIndexOf("_"));
    const found = [...this.functions].some((fn) => fn.endsWith(version));
    return Promise.resolve(found ? [name] : []);
  }

  /** FUNCTION LOAD REPLACE. */
  private async load(text: string): Promise<string> {
    const names = functionsIn(text);
    if (names.every((name) => this.functions.has(name))) return "OK";
    // Calls that arrive from now on are sent after it.
    const loaded = this.server.load(text);
    for (const name of names) this.functions.add(name);
    await loaded;
    return "OK";
  }

  private own(name: string, args: readonly string[]): Promise<unknown> {
    const reply = this.give(name, args);
    this.flush();
    return reply;
  }

  private give(name: string, args: readonly string[]): Promise<unknown> {
    return this.server.give(["FCALL", name, 0, ...args, this.nowMs()]);
  }
}

const named = new Map<string, readonly string[]>();

/** The functions of a library. Every worker that starts loads the same one. */
function functionsIn(text: string): readonly string[] {
  const known = named.get(text);
  if (known) return known;
  const names = [...text.matchAll(/register_function\('(\w+)'/g)].map(([, name]) => name ?? "");
  named.set(text, names);
  return names;
}
