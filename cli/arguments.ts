import { InvalidArgumentError } from "commander";

/** An option's value as a whole number within bounds; anything else is an error that says so. */
export function whole(least: number, most: number) {
  return (text: string): number => {
    const n = Number(text);
    if (!Number.isInteger(n) || n < least || n > most)
      throw new InvalidArgumentError(`a whole number from ${least} to ${most}`);
    return n;
  };
}
