// The ledger of a simulated world: the real code on SQLite in memory, reached by links on which
// commits stay in doubt, answers come late or never, and reads are delayed. It can go back to a
// backup.

import type { Entry } from "../../../core/domain/entry.ts";
import type { Runtime } from "../../../core/runtime/runtime.ts";
import { NoAnswer, Silence } from "../../../core/runtime/silence.ts";
import type { Ledger, LedgerWriter } from "../../../ledger/contract.ts";
import { type Db, LedgerUnavailable } from "../../../ledger/db.ts";
import { emptyLedger, type LedgerImage, MemoryLedger } from "../../../ledger/in-memory.ts";
import { Link, NO_TROUBLE, type Trouble } from "./link.ts";
import type { WorldScheduler } from "./scheduler.ts";

/** As the writer's thread has it (ledger/threaded-writer.ts). */
const WRITE_MS = 30_000;
/** As the database has it (ledger/db.ts). */
const READ_MS = 10_000;

/** One process's ledger. */
export interface LedgerAccess {
  readonly ledger: Ledger;
  readonly writer: LedgerWriter;
  /** The database itself, without troubles: for snapshots of shards, and for looking. */
  readonly db: Db;
}

/** For `emptyLedger`: made once, then copied for each seed. */
export { emptyLedger, type LedgerImage };

export class WorldLedger {
  private readonly memory: MemoryLedger;
  /** By process: its reads and the operators' writes, and what workers write. */
  private readonly links = new Map<string, { readonly reads: Link; readonly writes: Link }>();
  private readonly cutOff = new Set<string | undefined>();
  private usual: { readonly reads: Trouble; readonly writes: Trouble } = {
    reads: NO_TROUBLE,
    writes: NO_TROUBLE,
  };

  constructor(
    private readonly scheduler: WorldScheduler,
    private readonly runtime: Runtime,
    image: LedgerImage,
  ) {
    this.memory = new MemoryLedger(runtime, image);
  }

  /** Opens it for a process that runs on `runtime`. */
  async open(name: string, runtime: Runtime): Promise<LedgerAccess> {
    const { ledger, writer, db } = await this.memory.open(runtime);
    const lost = (what: string) => new LedgerUnavailable(`the ledger: ${what}`);
    const { scheduler } = this;
    const reads = new Link({ scheduler, name: `${name} ledger reads`, lost });
    const writes = new Link({ scheduler, name: `${name} ledger`, lost });
    this.links.set(name, { reads, writes });
    [reads.trouble, writes.trouble] = [this.usual.reads, this.usual.writes];
    if (this.isCut(name)) for (const link of [reads, writes]) link.hold("silent", "both");
    return {
      ledger: remote(ledger, { link: reads, runtime, limitMs: READ_MS }),
      writer: remote(writer, { link: writes, runtime, limitMs: WRITE_MS }),
      db,
    };
  }

  /** What goes wrong with reads, and with what workers write. */
  trouble(reads: Trouble, writes: Trouble): void {
    this.usual = { reads, writes };
    for (const links of this.links.values())
      [links.reads.trouble, links.writes.trouble] = [reads, writes];
  }

  /** What goes wrong with what one process writes; undefined: the same as for all. */
  troubleOne(process: string, writes: Trouble | undefined): void {
    const links = this.links.get(process);
    if (links) links.writes.trouble = writes ?? this.usual.writes;
  }

  /** Until `heal`, it answers one process, or all of them, no more. What was sent is done then. */
  silence(process?: string): void {
    this.cutOff.add(process);
    for (const link of this.of(process)) link.hold("silent", "both");
  }

  heal(process?: string): void {
    this.cutOff.delete(process);
    for (const [name] of this.links)
      if (!this.isCut(name)) for (const link of this.of(name)) link.release("silent");
  }

  // Processes. A process that starts again has another name.

  freeze(process: string): void {
    for (const link of this.of(process)) link.hold("frozen", "answers");
  }

  thaw(process: string): void {
    for (const link of this.of(process)) link.release("frozen");
  }

  /** A process has ended; what it had sent may still be committed. */
  crashed(process: string): void {
    for (const link of this.of(process)) link.crash();
    this.links.delete(process);
  }

  private of(process: string | undefined): Link[] {
    return [...this.links].flatMap(([name, { reads, writes }]) =>
      process === undefined || name === process ? [reads, writes] : [],
    );
  }

  private isCut(process: string): boolean {
    return this.cutOff.has(undefined) || this.cutOff.has(process);
  }

  /** Without troubles and events, for invariants. */
  async look(): Promise<{ readonly ledger: Ledger; readonly db: Db }> {
    return this.memory.open(this.runtime);
  }

  /** A backup, as of now. */
  backup(): LedgerImage {
    return this.memory.image();
  }

  /** The ledger is a backup again, as after a restore. */
  async goBack(to: LedgerImage): Promise<void> {
    await this.memory.restore(to);
  }

  async free(): Promise<void> {
    await this.memory.free();
  }
}

interface Remote {
  readonly link: Link;
  readonly runtime: Runtime;
  readonly limitMs: number;
}

/** The same object behind a link: each call of a method is a request with a deadline. */
function remote<T extends object>(target: T, to: Remote): T {
  return new Proxy(target, {
    get: (of, name) => {
      const member: unknown = Reflect.get(of, name);
      if (typeof member !== "function" || typeof name !== "string") return member;
      const run = (args: readonly unknown[]) => member.apply(of, args) as unknown;
      if (name === "close") return async () => undefined;
      if (name === "replay")
        return (...args: unknown[]) => chunks(run(args) as AsyncIterable<readonly Entry[]>, to);
      return (...args: unknown[]) => inTime(name, async () => run(args), to);
    },
  });
}

async function inTime<T>(what: string, run: () => Promise<T>, to: Remote): Promise<T> {
  const silence = new Silence(to.runtime, to.limitMs, () => undefined);
  try {
    return await Promise.race([to.link.call(what, run), silence.over]);
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    throw new LedgerUnavailable(`the ledger: ${what}: ${error.message}`);
  } finally {
    silence.end();
  }
}

/** Each chunk is a request of its own. */
async function* chunks<T>(all: AsyncIterable<T>, to: Remote): AsyncIterable<T> {
  const iterator = all[Symbol.asyncIterator]();
  for (;;) {
    const next = await inTime("replay", () => iterator.next(), to);
    if (next.done) return;
    yield next.value;
  }
}
