// An operator's command in the audit: its intent before it acts, and its result after. A command
// that cannot record its intent does nothing.
import { userInfo } from "node:os";
import { messageOf } from "../../core/domain/message-of.ts";
import { plain } from "../../core/domain/plain.ts";
import type { Ledger } from "../../ledger/contract.ts";

export interface Deed {
  /** `routes.set` */
  readonly action: string;
  readonly target: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

const MAX_TEXT = 1_000;

/** `status` is as of HTTP: 200, or 500 when the command failed. */
export async function onRecord<T>(
  ledger: Pick<Ledger, "auditBegin" | "auditEnd">,
  { action, target, detail = {} }: Deed,
  work: () => Promise<T>,
): Promise<T> {
  const entry = { target: plain(target).slice(0, MAX_TEXT), detail: textOf(detail) };
  const seq = await ledger.auditBegin({ subject: commandLine(), action, ...entry });
  underWay++;
  try {
    const result = await work();
    await ledger.auditEnd(seq, { ...entry, status: 200 });
    return result;
  } catch (error) {
    const failed = { ...entry, detail: textOf({ ...detail, error: messageOf(error) }) };
    await ledger.auditEnd(seq, { ...failed, status: 500 });
    throw error;
  } finally {
    underWay--;
  }
}

let underWay = 0;

/** Whether a change has begun and not ended: it must not be cut short. */
export function changing(): boolean {
  return underWay > 0;
}

/** Who types: `command line (ann)`. */
export function commandLine(): string {
  return `command line (${plain(userInfo().username)})`;
}

function textOf(detail: Readonly<Record<string, unknown>>): string {
  const short = Object.entries(detail).map(([name, value]) => [
    name,
    typeof value === "string" ? plain(value).slice(0, MAX_TEXT) : value,
  ]);
  return JSON.stringify(Object.fromEntries(short));
}
