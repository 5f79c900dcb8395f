// A halt, in the ledger that gave the reason: it stays there, whatever Redis forgets, until an
// operator ends it (consumers/rebuild/recovery.ts). No rebuild begins meanwhile (writer.ts).
import type { Halt } from "./contract.ts";
import type { Runner } from "./db.ts";

export async function halt(db: Runner): Promise<Halt | undefined> {
  const [store] = await db.run("SELECT halted_ms, halt_reason FROM store WHERE halted_ms > 0");
  return store && { reason: String(store.halt_reason), atMs: Number(store.halted_ms) };
}

/** May be repeated: the first reason stands. */
export async function recordHalt(db: Runner, reason: string, atMs: number): Promise<void> {
  const text = "UPDATE store SET halted_ms = ?, halt_reason = ? WHERE halted_ms = 0";
  await db.run(text, [atMs, reason]);
}

export async function endHalt(db: Runner): Promise<void> {
  await db.run("UPDATE store SET halted_ms = 0, halt_reason = '' WHERE halted_ms > 0");
}
