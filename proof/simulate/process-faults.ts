// Faults of processes, and operators' commands.
import type { ProcessFault } from "./fault-kinds.ts";
import type { Undo } from "./faults.ts";
import type { Fault } from "./schedule.ts";
import type { Role, Slot, System } from "./system.ts";

const HOUR_MS = 3_600_000;

/**
 * Makes it happen, to this process if it fits; what ends it. undefined: it could not happen now.
 */
export function processFault(
  system: System,
  kind: ProcessFault,
  fault: Fault,
  process?: string,
): Undo | undefined {
  const one = (role: Role) => {
    const slots = system.of(role);
    const passed = slots.find((slot) => process !== undefined && slot.process?.name === process);
    return passed ?? pick(slots, fault);
  };
  switch (kind) {
    case "kill_worker":
      return kill(system, one("worker"));
    case "kill_payments":
      return kill(system, one("payments"));
    case "kill_service":
      return kill(system, one("service"));
    case "kill_gateway":
      return kill(system, one("gateway"));
    case "stop_worker":
      return stop(system, one("worker"));
    case "freeze_worker":
      return system.freeze(one("worker"));
    case "freeze_payments":
      return system.freeze(one("payments"));
    case "freeze_service":
      return system.freeze(one("service"));
    case "freeze_gateway":
      return system.freeze(one("gateway"));
    case "stall":
      return system.freeze(pick(system.slots, fault));
    case "wall_clock":
      return jump(pick(system.slots, fault), fault.by * HOUR_MS);
    case "redrive":
    case "ask_again":
      return system.operate(kind);
  }
}

export function pick<T>(all: readonly T[], { who }: Fault): T {
  return all[who % all.length] as T;
}

function kill(system: System, slot: Slot): Undo | undefined {
  if (!slot.process) return undefined;
  slot.down = true;
  system.kill(slot);
  return () => up(system, slot);
}

function stop(system: System, slot: Slot): Undo | undefined {
  if (!slot.running) return undefined;
  slot.down = true;
  system.stop(slot);
  return () => {
    system.kill(slot);
    up(system, slot);
  };
}

function up(system: System, slot: Slot): void {
  slot.down = false;
  if (!slot.process) system.begin(slot);
}

function jump({ process }: Slot, byMs: number): Undo | undefined {
  if (!process) return undefined;
  process.jumpWall(byMs);
  return () => process.jumpWall(-byMs);
}
