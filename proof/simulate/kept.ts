// A schedule by its seed and what is kept of it: how a failure is named, replayed and shrunk.
import type { Scenario } from "./profiles.ts";
import type { Schedule } from "./schedule.ts";

export interface Kept {
  readonly seed: number;
  /** Absent: what the seed draws. */
  readonly scenario?: Scenario;
  /** Places in the drawn schedule; absent: all. */
  readonly faults?: readonly number[];
  readonly actions?: readonly number[];
}

export function pick(schedule: Schedule, { faults, actions }: Kept): Schedule {
  const of = <T>(all: readonly T[], places: readonly number[] | undefined): readonly T[] =>
    places === undefined ? all : all.filter((_, place) => places.includes(place));
  return {
    ...schedule,
    faults: of(schedule.faults, faults),
    actions: of(schedule.actions, actions),
  };
}

/** The command that runs it again. */
export function commandOf({ seed, scenario, faults, actions }: Kept): string {
  const places = (name: string, list: readonly number[] | undefined) =>
    list === undefined ? "" : ` --${name} ${list.length === 0 ? "none" : list.join(",")}`;
  const named = scenario === undefined ? "" : ` --scenario '${scenario}'`;
  const some = places("faults", faults) + places("actions", actions);
  return `sluice simulate --seed ${seed}${named}${some}`;
}
