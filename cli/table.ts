import { at } from "../core/domain/at.ts";
import { plain } from "../core/domain/plain.ts";

/** Formats rows as an aligned table; `titles` renames columns. What a terminal obeys is escaped. */
export function table(
  rows: readonly Record<string, unknown>[],
  titles: Record<string, string> = {},
): string {
  const first = rows[0];
  if (!first) return "empty\n";
  const columns = Object.keys(first);
  const cells = [
    columns.map((c) => titles[c] ?? c),
    ...rows.map((row) => columns.map((c) => plain(String(row[c] ?? "")))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => at(line, i).length)));
  const isNumber = columns.map((c) => typeof first[c] === "number");
  const line = (parts: string[]) =>
    parts
      .map((part, i) => (isNumber[i] ? part.padStart(at(widths, i)) : part.padEnd(at(widths, i))))
      .join("  ");
  return `${cells.map((c) => line(c).trimEnd()).join("\n")}\n`;
}
