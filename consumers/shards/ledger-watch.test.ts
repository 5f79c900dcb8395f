import { expect, test } from "bun:test";
import { LedgerWatch } from "./ledger-watch.ts";

const GIVE_UP_MS = 1_000;

function watched() {
  const state = { answers: true, silentMs: 0, gaveUp: 0 };
  const watch = new LedgerWatch({
    ledger: {
      incarnation: () => (state.answers ? Promise.resolve(1) : Promise.reject(new Error("away"))),
    },
    recorder: {
      get silentMs() {
        return state.silentMs;
      },
    },
    giveUpMs: GIVE_UP_MS,
    giveUp: async () => {
      state.gaveUp++;
    },
    log: () => undefined,
  });
  return { state, watch };
}

test("shards are given up once when commits have had no answer for too long, and not before", async () => {
  const { state, watch } = watched();
  state.silentMs = GIVE_UP_MS;
  await watch.look();
  expect([watch.lost, state.gaveUp]).toEqual([false, 0]);
  state.silentMs = GIVE_UP_MS + 1;
  await watch.look();
  await watch.look();
  expect([watch.lost, state.gaveUp]).toEqual([true, 1]);
});

test("it takes shards again only when what waits is recorded and the ledger answers", async () => {
  const { state, watch } = watched();
  state.silentMs = GIVE_UP_MS + 1;
  await watch.look();
  state.silentMs = 5; // the next commit is under way, unanswered
  await watch.look();
  expect(watch.lost).toBe(true);
  state.silentMs = 0;
  state.answers = false;
  await watch.look();
  expect([watch.lost, watch.answers]).toEqual([true, false]);
  state.answers = true;
  await watch.look();
  expect([watch.lost, watch.answers]).toEqual([false, true]);
});
