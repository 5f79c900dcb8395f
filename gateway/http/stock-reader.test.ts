// One query serves many readers, and each answer says when it was asked for.
import { expect, test } from "bun:test";
import { StockReader } from "./stock-reader.ts";

test("an answer that is used again, or waited for, says when Redis was asked", async () => {
  let nowMs = 1_000;
  const answers: PromiseWithResolvers<undefined>[] = [];
  const ask = () => {
    const answer = Promise.withResolvers<undefined>();
    answers.push(answer);
    return answer.promise;
  };
  const reader = new StockReader(ask, () => nowMs);
  const first = reader.look("spring");
  nowMs += 300; // Redis is slow
  const second = reader.look("spring");
  answers[0]?.resolve(undefined);
  expect(await Promise.all([first, second])).toMatchObject([
    { askedMs: 1_000 },
    { askedMs: 1_000 },
  ]);
  nowMs += 999; // a slow query is repeated rarely
  expect(await reader.look("spring")).toMatchObject({ askedMs: 1_000 });
  nowMs += 1;
  const again = reader.look("spring");
  answers[1]?.resolve(undefined);
  expect([await again, answers.length]).toMatchObject([{ askedMs: 2_300 }, 2]);
});
