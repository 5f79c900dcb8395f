// The simulated system: its processes, each of which can be killed, frozen, stopped and started
// again, as a supervisor and a hostile machine would.

import type { Worker } from "../../consumers/shards/worker.ts";
import { at } from "../../core/domain/at.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import type { PackedRecord } from "../verify/checks/parts.ts";
import { SimulatedGateway } from "./gateway.ts";
import { type Command, runCommand } from "./operator.ts";
import type { Outside } from "./outside.ts";
import { SimulatedProcess } from "./process.ts";
import { SimulatedProvider } from "./provider.ts";
import {
  type RunningRole,
  type Setting,
  startPayments,
  startRates,
  startService,
  startWorker,
} from "./roles.ts";
import type { Schedule } from "./schedule.ts";
import type { Scheduler } from "./scheduler.ts";

export type Role = "gateway" | "worker" | "payments" | "service" | "rates";

/** The place of a process: it keeps its id through restarts. */
export interface Slot {
  readonly role: Role;
  readonly id: string;
  readonly region: string;
  process: SimulatedProcess | undefined;
  running: RunningRole | undefined;
  worker: Worker | undefined;
  gateway: SimulatedGateway | undefined;
  /** Kept down by a fault. */
  down: boolean;
}

/** What the world must know of what happens to a process. */
export interface Ends {
  /** Its connections close, and nothing that it still awaits arrives. */
  crashed(process: SimulatedProcess): void;
  frozen(process: SimulatedProcess): void;
  thawed(process: SimulatedProcess): void;
}

export const REGIONS: readonly string[] = ["eu", "us"];
export const SERVICES: readonly string[] = ["warehouse", "gallery"];
/** A process that ended by itself is started again after this. */
const RESTART_MS = 500;
/** How far a machine's wall clock is off at most. */
const WALL_OFF_MS = 300;

export class System {
  readonly slots: Slot[] = [];
  readonly provider: SimulatedProvider;
  readonly packed: PackedRecord[] = [];
  /** Processes started so far. */
  starts = 0;
  private readonly setting: Setting;
  private commands = 0;

  constructor(
    private readonly scheduler: Scheduler,
    { seed, shape, shares }: Schedule,
    private readonly outside: Outside & Ends,
  ) {
    this.provider = new SimulatedProvider(scheduler, seed, shares);
    const { packed, provider } = this;
    this.setting = { outside, provider, regions: REGIONS, packed };
    for (let i = 0; i < shape.workers; i++) this.add("worker", `worker-${i}`, "eu");
    for (let i = 0; i < shape.gateways; i++) {
      const region = at(REGIONS, i % REGIONS.length);
      this.add("gateway", `${region}.gateway-${i}`, region);
    }
    for (let i = 0; i < shape.payments; i++) this.add("payments", `payments-${i}`, "eu");
    for (let i = 0; i < shape.services; i++)
      this.add("service", `${at(SERVICES, i % SERVICES.length)}-${i}`, "eu");
    this.add("rates", "rates", "eu");
  }

  /** Starts every process that is not running. */
  startAll(): void {
    for (const slot of this.slots) {
      slot.down = false;
      if (!slot.process) this.begin(slot);
    }
  }

  of(role: Role): Slot[] {
    return this.slots.filter((slot) => slot.role === role);
  }

  get gateways(): (SimulatedGateway | undefined)[] {
    return this.of("gateway").map(({ gateway, process }) =>
      process?.state === "dead" ? undefined : gateway,
    );
  }

  /** As `kill -9` does. */
  kill(slot: Slot): void {
    const { process } = slot;
    slot.process = slot.running = slot.worker = slot.gateway = undefined;
    if (!process) return;
    process.kill();
    this.outside.crashed(process);
  }

  /** As SIGSTOP does; the result is SIGCONT. */
  freeze({ process }: Slot): (() => void) | undefined {
    if (process?.state !== "running") return undefined;
    process.freeze();
    this.outside.frozen(process);
    return () => {
      if (process.state !== "frozen") return;
      process.thaw();
      this.outside.thawed(process);
    };
  }

  /** As SIGTERM does: it ends by itself, and is killed if that takes too long. */
  stop(slot: Slot): void {
    const { process, running } = slot;
    if (!process || !running || process.state !== "running") return;
    const end = () => {
      if (slot.process === process) this.kill(slot);
    };
    process.world.event("stop", () => void running.stop().then(end, end));
  }

  /** An operator's command; the result interrupts it. */
  operate(command: Command): () => void {
    const process = new SimulatedProcess(this.scheduler, `operator-${++this.commands}`);
    const run = () => void runCommand(this.setting, process, command).catch(() => undefined);
    process.world.event(command, run);
    return () => {
      process.kill();
      this.outside.crashed(process);
    };
  }

  begin(slot: Slot): void {
    const wallOffMs = (this.scheduler.random() * 2 - 1) * WALL_OFF_MS;
    const process = new SimulatedProcess(this.scheduler, `${slot.id}#${++this.starts}`, wallOffMs);
    slot.process = process;
    process.world.event("boot", () => void this.boot(slot, process));
  }

  private async boot(slot: Slot, process: SimulatedProcess): Promise<void> {
    try {
      await this.start(slot, process);
    } catch (error) {
      this.outside.log("did not start", { id: slot.id, error: messageOf(error) });
      if (slot.process === process) this.kill(slot);
      this.scheduler.event(`restart ${slot.id}`, () => this.restart(slot), RESTART_MS);
    }
  }

  private restart(slot: Slot): void {
    if (!slot.process && !slot.down) this.begin(slot);
  }

  private async start(slot: Slot, process: SimulatedProcess): Promise<void> {
    const { setting } = this;
    const { role, id, region } = slot;
    switch (role) {
      case "gateway":
        slot.gateway = await SimulatedGateway.start(this.outside, process, region, id);
        return;
      case "worker":
        slot.running = await startWorker(setting, process, id, (worker) => {
          slot.worker = worker;
        });
        return;
      case "payments":
        slot.running = await startPayments(setting, process, id);
        return;
      case "service":
        slot.running = await startService(setting, process, id.slice(0, id.lastIndexOf("-")), id);
        return;
      case "rates":
        slot.running = await startRates(setting, process);
    }
  }

  private add(role: Role, id: string, region: string): void {
    const none = { process: undefined, running: undefined, worker: undefined, gateway: undefined };
    this.slots.push({ role, id, region, ...none, down: false });
  }
}
