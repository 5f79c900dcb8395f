// CPU by kind of part. The generator stands for the clients: its cost is shown, but is not part of
// what an order costs.
export const PARTS = ["gateway", "worker", "redis", "rabbitmq", "postgres"] as const;
export type Part = (typeof PARTS)[number];

/** µs of CPU. */
export interface PartCost {
  /** Of all parts but the generator. */
  readonly all: number;
  readonly generator: number;
  /** Parts that do not run are left out. */
  readonly parts: Readonly<Partial<Record<Part | "other", number>>>;
}

const GENERATORS = new Set(["load", "wrk"]);

/** From µs by process, such as `worker-1` and `gateway-eu`. */
export function costOf(cpuMicros: Readonly<Record<string, number>>): PartCost {
  let all = 0;
  let generator = 0;
  const parts: Partial<Record<Part | "other", number>> = {};
  for (const [name, micros] of Object.entries(cpuMicros)) {
    if (GENERATORS.has(name)) {
      generator += micros;
      continue;
    }
    const part = PARTS.find((kind) => name === kind || name.startsWith(`${kind}-`)) ?? "other";
    parts[part] = (parts[part] ?? 0) + micros;
    all += micros;
  }
  return { all, generator, parts };
}
