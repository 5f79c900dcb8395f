// A role's log line as people read it. Pure.
import { plain } from "../core/domain/plain.ts";

export interface LogLine {
  readonly role: string;
  /** Unix ms; undefined: the line names no time. */
  readonly atMs: number | undefined;
  readonly text: string;
}

/** Colours of the severities that need attention. */
const COLOUR: Readonly<Record<string, number>> = { warn: 33, error: 31, fatal: 31 };

/** `file`: the name of the log, for a line that names no role. */
export function logLine(file: string, line: string, colours: boolean): LogLine {
  const said = recordIn(line);
  if (!said) return { role: file, atMs: undefined, text: `${pad(file)}  ${plain(line)}` };
  const { at, severity = "info", role: _, event = "", pid: _pid, hostname: _host, ...more } = said;
  const atMs = Date.parse(String(at));
  const level = String(severity).padEnd(5);
  const code = COLOUR[String(severity)];
  const shown = colours && code !== undefined ? `\x1b[${code}m${level}\x1b[0m` : level;
  const members = Object.entries(more).map(([name, value]) => `${plain(name)}=${valueText(value)}`);
  const text = [plain(String(at)), pad(file), shown, plain(String(event)), ...members].join("  ");
  return { role: file, atMs: Number.isNaN(atMs) ? undefined : atMs, text };
}

/** By time. A line without one stays behind the line before it. */
export function inOrder<L extends LogLine>(logs: readonly (readonly L[])[]): L[] {
  const timed = logs.flatMap((lines) => {
    let atMs = 0;
    return lines.map((line) => {
      atMs = line.atMs ?? atMs;
      return { line, atMs };
    });
  });
  return timed.toSorted((a, b) => a.atMs - b.atMs).map(({ line }) => line);
}

const pad = (role: string): string => role.padEnd(12);

function valueText(value: unknown): string {
  return plain(typeof value === "string" && !/[\s"]/.test(value) ? value : JSON.stringify(value));
}

function recordIn(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const is = typeof value === "object" && value !== null && "at" in value;
    return is ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
