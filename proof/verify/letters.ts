// Reads which order a dead letter is about, if any. A letter may contain anything.
import type { DeadLetter } from "../../broker/dead-letters.ts";
import type { Letter } from "./checks/letters.ts";
import { row0 } from "./rows.ts";

interface Said {
  readonly reason?: unknown;
  readonly user?: unknown;
  readonly id?: unknown;
  readonly row?: unknown;
}

export function letterOf({ id, headers, body }: DeadLetter): Letter {
  const said = objectIn(body.toString());
  const reason = String(headers["x-reason"] ?? said.reason ?? "given up by the broker");
  const { user, id: order } = rowIn(said) ?? said;
  const named = typeof user === "string" && typeof order === "string";
  return { id, reason, user: named ? user : "", order: named ? order : "" };
}

/** An order that could not be decided, in letters of either format. */
function rowIn({ row }: Said): Said | undefined {
  if (Array.isArray(row)) return row0(row);
  if (typeof row !== "object" || row === null) return undefined;
  return (row as { readonly order?: Said }).order ?? row;
}

function objectIn(text: string): Said {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
