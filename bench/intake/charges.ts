// Charges end to end against the stub: reserved, requested, captured, and recorded as paid. The
// stub shares the cores.
import { realRuntime } from "../../core/runtime/runtime.ts";
import { LedgerAudit } from "../../ledger/audit.ts";
import type { Stack } from "../../proof/demo/stack.ts";
import { usageByPart } from "./usage.ts";

export interface ChargesResult {
  /** Orders paid during the measurement, and its length. */
  readonly paid: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** µs of CPU per paid order, by part. */
  readonly cpuMicros: Readonly<Record<string, number>>;
}

const LOOK_MS = 500;
/**
 * Measures until this share is left: the last charges wait for each other in their users' lanes.
 */
const LEFT = 0.1;
const TIMEOUT_S = 300;

/** Measures how fast a backlog of reserved orders is charged on an otherwise idle system. */
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
