// Charges end to end against the stub: reserved, asked for, captured, back in the ledger as paid.
// The stub takes its share of the same cores.
import { realRuntime } from "../../core/runtime/runtime.ts";
import { LedgerAudit } from "../../ledger/audit.ts";
import type { Stack } from "../../proof/demo/stack.ts";
import { usageByPart } from "./usage.ts";

export interface ChargesResult {
  /** Orders paid while it was watched, and for how long. */
  readonly paid: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** µs of CPU per paid order, by part. */
  readonly cpuMicros: Readonly<Record<string, number>>;
}

const LOOK_MS = 500;
/** Watched until so few are left: the last ones wait for one another in their users' lanes. */
const LEFT = 0.1;
const TIMEOUT_S = 300;

/** How fast a backlog of reserved orders is charged, with nothing else going on. */
export async function benchCharges(
  stack: Stack,
  say: (line: string) => void,
): Promise<ChargesResult> {
  const audit = await LedgerAudit.open(realRuntime, stack.ledgerUrl);
  try {
    const count = async () => ({
      paid: await audit.chargeCount("captured"),
      open: await audit.chargesOpen(),
    });
    const before = usageByPart(stack);
    const start = { ...(await count()), atMs: realRuntime.monotonicMs() };
    let now = { ...start };
    while (now.open > start.open * LEFT && now.atMs - start.atMs < TIMEOUT_S * 1_000) {
      await realRuntime.sleep(LOOK_MS);
      now = { ...(await count()), atMs: realRuntime.monotonicMs() };
      say(`  charges: ${now.paid - start.paid} paid, ${now.open} under way`);
    }
    const paid = now.paid - start.paid;
    const seconds = (now.atMs - start.atMs) / 1_000;
    const cpuMicros: Record<string, number> = {};
    for (const [part, usage] of usageByPart(stack))
      cpuMicros[part] = (usage.cpuMicros - (before.get(part)?.cpuMicros ?? 0)) / paid;
    return { paid, seconds, perSecond: paid / seconds, cpuMicros };
  } finally {
    await audit.close();
  }
}
