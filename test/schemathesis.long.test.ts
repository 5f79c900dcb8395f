// Schemathesis finds no call whose answer its description does not allow. How to install it:
// schemathesis.ts.
import { expect, test } from "bun:test";
import { trySchemathesis } from "./schemathesis.ts";

const LIMIT_MS = 1_200_000;
const command = Bun.which(process.env.SCHEMATHESIS ?? "schemathesis");

test.each(["1", "2"])(
  "every answer to good and bad input is one that the description allows: seed %s",
  async (seed) => {
    if (command === null)
      throw new Error("SCHEMATHESIS must name the program: see test/schemathesis.ts");
    expect(await trySchemathesis(command, ["--seed", seed])).toBe(0);
  },
  LIMIT_MS,
);
