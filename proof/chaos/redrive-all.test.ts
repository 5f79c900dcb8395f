// When a redrive of all dead letters has done what it can.
import { expect, test } from "bun:test";
import { isThrough } from "./redrive-all.ts";

const UNKNOWN = "one of its attempts may still be captured; redrive it once that is known";

test.each([
  ["there are none", "no such dead letters", true],
  ["one stays until its end is known", `0badcafe: ${UNKNOWN}`, true],
  ["the broker did not take one", "0badcafe: not sent again: the broker answered unknown", false],
  [
    "one stays, and the broker did not take another",
    `0badcafe: ${UNKNOWN}\n12345678: not sent again: the broker answered returned`,
    false,
  ],
  ["the ledger is away", "the ledger does not answer", false],
  ["it was killed before it wrote anything", "", false],
])("%s", (_, error, through) => {
  expect(isThrough(`sluice dead redrive all: ${error}`)).toBe(through);
});
