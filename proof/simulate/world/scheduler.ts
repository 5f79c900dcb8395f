// What the simulated world asks of the scheduler. Whoever picks the interleaving implements it.

export interface WorldScheduler {
  /** True time of the simulation, ms. */
  readonly nowMs: () => number;
  /** Seeded, in [0, 1). */
  readonly random: () => number;
  /**
   * Adds an event. The scheduler runs events in an order it picks: by due time, then at random
   * among those due. `run` may be async: the scheduler awaits it before the next event, and lets
   * all promises settle.
   */
  readonly event: (name: string, run: () => void | Promise<void>, delayMs?: number) => void;
}
