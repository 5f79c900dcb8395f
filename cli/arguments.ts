import { InvalidArgumentError } from "commander";
import { timeIn } from "../core/domain/time-in.ts";

/** Parses an option's value as a whole number within bounds, or throws. */
export function whole(least: number, most: number) {
  return (text: string): number => {
    const n = Number(text);
    if (!Number.isInteger(n) || n < least || n > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return n;
  };
}

/** Parses an option's value as a time with a zone, or throws. Returns Unix ms. */
export function time(text: string): number {
  const ms = timeIn(text);
  if (Number.isNaN(ms))
    throw new InvalidArgumentError("It must be a time with a zone, such as 2027-01-31T10:00:00Z.");
  return ms;
}
