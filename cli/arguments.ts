import { InvalidArgumentError } from "commander";

/** Parses an option's value as a whole number within bounds, or throws. */
export function whole(least: number, most: number) {
  return (text: string): number => {
    const n = Number(text);
    if (!Number.isInteger(n) || n < least || n > most)
      throw new InvalidArgumentError(`a whole number from ${least} to ${most}`);
    return n;
  };
}
