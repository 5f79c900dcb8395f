// A dead letter as the checker reads it: which order it is about, if any. It may hold anything.
import type { DeadLetter } from "../../broker/dead-letters.ts";
import type { Letter } from "./checks/letters.ts";

/** Where an order's row has them. */
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
