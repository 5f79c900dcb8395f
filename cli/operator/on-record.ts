// An operator's command in the audit: its intent before it acts, and its result after. A command
// that cannot record its intent does nothing.
import { readFileSync } from "node:fs";
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

/**
 * The status on record is as of HTTP: that of the refusal, 500 when the command failed, otherwise
 * what `judge` makes of the result, or 200.
 */
export async function onRecord<T>(
  ledger: Pick<Ledger, "auditBegin" | "auditEnd">,
  { action, target, detail = {} }: Deed,
  work: () => Promise<T>,
  judge: (result: T) => number = () => 200,
): Promise<T> {
  const entry = { target: plain(target).slice(0, MAX_TEXT), detail: textOf(detail) };
  const seq = await ledger.auditBegin({ subject: commandLine(), action, ...entry });
  underWay++;
  try {
    const result = await work();
    await ledger.auditEnd(seq, { ...entry, status: judge(result) });
    return result;
  } catch (error) {
    const failed = { ...entry, detail: textOf({ ...detail, error: messageOf(error) }) };
    await ledger.auditEnd(seq, { ...failed, status: statusOf(error) });
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

function statusOf(error: unknown): number {
  const { status } = (error ?? {}) as { readonly status?: unknown };
  return typeof status === "number" ? status : 500;
}

/** Who types: `command line (ann)`. */
export function commandLine(): string {
  return `command line (${plain(accountName())})`;
}

/**
 * The account's name where the machine keeps it. userInfo() takes it from the environment, which
 * services and containers do not set.
 */
function accountName(uid = process.getuid?.()): string {
  const { username } = userInfo();
  if (username !== "unknown" || uid === undefined) return username;
  const named = accounts().find((line) => line.split(":")[2] === String(uid));
  return named?.split(":")[0] ?? `user ${uid}`;
}

function accounts(): string[] {
  try {
    return readFileSync("/etc/passwd", "utf8").split("\n");
  } catch {
    return [];
  }
}

function textOf(detail: Readonly<Record<string, unknown>>): string {
  const short = Object.entries(detail).map(([name, value]) => [
    name,
    typeof value === "string" ? plain(value).slice(0, MAX_TEXT) : value,
  ]);
  return JSON.stringify(Object.fromEntries(short));
}
