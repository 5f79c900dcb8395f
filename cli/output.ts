// What commands print on standard output.
import { plainJson } from "../core/domain/plain.ts";

export function print(text: string): void {
  process.stdout.write(text);
}

/** One line, whole. */
export function printJson(value: unknown): void {
  process.stdout.write(`${plainJson(value)}\n`);
}
