// Reads which order a dead letter is about, if any. A letter may contain anything.
import type { DeadLetter } from "../../broker/dead-letters.ts";
import type { Letter } from "./checks/letters.ts";

/** Positions in an order's row. */
const [ROW_USER, ROW_ID] = [1, 2];

export function letterOf({ id, headers, body }: DeadLetter): Letter {
  const said = objectIn(body.toString());
  const reason = String(headers["x-reason"] ?? said.reason ?? "given up by the broker");
  const row = Array.isArray(said.row) ? said.row : undefined;
  const [user, order] = row ? [row[ROW_USER], row[ROW_ID]] : [said.user, said.id];
  const named = typeof user === "string" && typeof order === "string";
  return { id, reason, user: named ? user : "", order: named ? order : "" };
}

function objectIn(text: string): { reason?: unknown; user?: unknown; id?: unknown; row?: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
