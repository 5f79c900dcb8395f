// Makes the schedule's faults happen, and heals everything when the rush is over.
import {
  BROKER_FAULTS,
  FAULTS,
  type FaultKind,
  LEDGER_FAULTS,
  PROCESS_FAULTS,
  REDIS_FAULTS,
} from "./fault-kinds.ts";
import { ask } from "./looks.ts";
import { Moments } from "./moments.ts";
import { processFault } from "./process-faults.ts";
import type { Fault } from "./schedule.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimulatedWorld } from "./simulated-world.ts";
import { brokerFault, ledgerFault, redisFault } from "./store-faults.ts";
import type { System } from "./system.ts";

/** Ends a fault. */
export type Undo = () => void | Promise<void>;

/** Where a restored ledger stands in a shard. */
export interface Forgotten {
  readonly shard: number;
  readonly n: number;
  readonly id: string;
}

const WORKERS = new Set<FaultKind>(["kill_worker", "stop_worker", "freeze_worker", "stall"]);
const STORES = new Set(
  (Object.keys({ ...REDIS_FAULTS, ...LEDGER_FAULTS }) as FaultKind[]).filter(
    (kind) => !FAULTS[kind].loss,
  ),
);
const CRAWLS = new Set<FaultKind>(["redis_crawls", "ledger_crawls", "ledger_crawls_one"]);

export class Faults {
  /** How many took effect, by kind. */
  readonly made = new Map<FaultKind, number>();
  crashes = 0;
  total = 0;
  /** How often Redis or the ledger has lost something. */
  losses = 0;
  /** Shards whose confirmed entries a restored ledger lacks; undefined: it was not restored. */
  forgotten: readonly Forgotten[] | undefined;
  /** Faults of workers so far: each may end a rebuild. */
  private ofWorkers = 0;
  private readonly undos = new Set<Undo>();
  private readonly moments: Moments;
  private over = false;

  constructor(
    private readonly scheduler: Scheduler,
    private readonly system: System,
    private readonly world: SimulatedWorld,
  ) {
    this.moments = new Moments(scheduler);
  }

  /**
   * How many rebuilds there may have been: at most one for each loss, and for each worker that
   * failed. undefined: stores that fail may end any number of them. Before a loss there is none.
   */
  get mostRebuilds(): number | undefined {
    if (this.losses === 0) return 0;
    const failed = [...this.made.keys()].some((kind) => STORES.has(kind) && !CRAWLS.has(kind));
    return failed ? undefined : this.losses + this.ofWorkers;
  }

  begin(faults: readonly Fault[], fromMs: number): void {
    for (const fault of faults) {
      const delayMs = fromMs + fault.atMs - this.scheduler.nowMs();
      this.scheduler.event(`fault ${fault.kind}`, () => this.due(fault), delayMs);
    }
  }

  /** It happens now, or a little after its moment has passed. */
  private due(fault: Fault): Promise<void> | undefined {
    const { at, kind } = fault;
    if (!at) return this.make(fault);
    if (this.over) return;
    this.moments.next(at.moment, at.nth, (process) => {
      this.scheduler.event(`fault ${kind}`, () => this.make(fault, process), at.afterMs);
    });
  }

  /** Ends every fault. */
  async heal(): Promise<void> {
    this.over = true;
    this.moments.clear();
    for (const undo of [...this.undos]) await undo();
    this.system.startAll();
    this.system.provider.forgive();
  }

  /** `process` is the one that passed its moment. */
  private async make(fault: Fault, process?: string): Promise<void> {
    if (this.over) return;
    const undo = await this.begun(fault, process);
    if (!undo) return;
    const { kind } = fault;
    const { crash, loss } = FAULTS[kind];
    this.made.set(kind, (this.made.get(kind) ?? 0) + 1);
    this.total++;
    if (crash) this.crashes++;
    if (loss) this.losses++;
    if (kind === "lost_while_loading") this.losses++; // the tail
    if (WORKERS.has(kind)) this.ofWorkers++;
    const once = async () => {
      if (this.undos.delete(once)) await undo();
    };
    this.undos.add(once);
    this.scheduler.event(`end of ${fault.kind}`, once, fault.forMs);
  }

  /** Makes it happen; what ends it. undefined: it could not happen now. */
  private begun(fault: Fault, process?: string): Undo | undefined | Promise<Undo> {
    const { kind } = fault;
    const { system, world } = this;
    if (isIn(PROCESS_FAULTS, kind)) return processFault(system, kind, fault, process);
    if (isIn(BROKER_FAULTS, kind)) return brokerFault(world, system, kind, fault, process);
    if (isIn(REDIS_FAULTS, kind)) return redisFault(world, kind, fault, this.moments);
    if (kind === "ledger_restored") return this.backup();
    if (isIn(LEDGER_FAULTS, kind)) return ledgerFault(world, system, kind, fault, process);
    return this.providerFault(kind);
  }

  /** The ledger will be what it is now. */
  private backup(): Undo {
    const { world } = this;
    const image = world.parts.ledger.backup();
    return async () => {
      await world.parts.ledger.goBack(image);
      this.forgotten = await forgottenIn(world);
    };
  }

  private providerFault(kind: "provider_outage" | "provider_unreachable"): Undo {
    const { provider } = this.system;
    const what = kind === "provider_outage" ? "outage" : "unreachable";
    provider[what] = true;
    return () => {
      provider[what] = false;
    };
  }
}

/** Compares the ledger with the confirmed entries that Redis knows. */
async function forgottenIn({ parts, sight }: SimulatedWorld): Promise<Forgotten[]> {
  const forgotten: Forgotten[] = [];
  for (const row of await sight.db.run("SELECT shard, last_n, last_id FROM shards")) {
    const [shard, n, id] = [Number(row.shard), Number(row.last_n), String(row.last_id)];
    const confirmed = await ask(parts.redis, ["HGET", `{${shard}}:meta`, "basen"]);
    if (Number(confirmed) > n) forgotten.push({ shard, n, id });
  }
  return forgotten;
}

function isIn<K extends string>(table: Record<K, unknown>, kind: string): kind is K {
  return kind in table;
}
