import { InvalidArgumentError } from "commander";
import { timeIn } from "../core/domain/time-in.ts";

/**
 * Parses an option's value as a whole number within bounds, or throws. Only digits are accepted:
 * `35.00` is whole, but its author may mean 35 euros where minor units are expected. `hint` says
 * what the number counts.
 */
export function whole(least: number, most: number, hint = "") {
  return (text: string): number => {
    const n = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!(n >= least && n <= most))
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}${hint}.`);
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
