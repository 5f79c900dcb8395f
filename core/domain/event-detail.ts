// The detail of an order's event, as the ledger keeps it, in the form that clients and operators
// see. Pure.

/** By name what the ledger keeps as the text `part parts service` (entry.ts, StepWord). */
interface PartDetail {
  readonly generation: unknown;
  readonly part: number;
  readonly parts: number;
  readonly service: string;
}

/** `text`: JSON, or empty. undefined: the event has no detail. */
export function eventDetail(event: string, text: string): PartDetail | object | undefined {
  if (text === "") return undefined;
  const value = JSON.parse(text) as { generation?: unknown; detail?: unknown };
  if (event !== "claimed" && event !== "done") return value;
  const [part, parts, service = ""] = String(value.detail).split(" ");
  return { generation: value.generation, part: Number(part), parts: Number(parts), service };
}

/** The same on one line, for a table. */
export function eventDetailText(event: string, text: string): string {
  const detail = eventDetail(event, text);
  if (detail === undefined) return "";
  if ("parts" in detail) return `part ${detail.part} of ${detail.parts}, ${detail.service}`;
  if (!("attempt" in detail)) return text;
  const reason = "detail" in detail && detail.detail ? `: ${String(detail.detail)}` : "";
  return `attempt ${String(detail.attempt)}${reason}`;
}
