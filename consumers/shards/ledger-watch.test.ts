import { expect, test } from "bun:test";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import { LedgerWatch } from "./ledger-watch.ts";

const GIVE_UP_MS = 1_000;

interface Owner {
  readonly shard: number;
  recorded: { readonly id: string; readonly n: number };
}

function watched() {
  const runtime = new VirtualRuntime();
  const state = { answers: true, silent: false, silentMs: 0, gaveUp: 0 };
  const positions = [{ shard: 0, epoch: 1, lastId: "e5", lastN: 5 }];
  const wentBack: number[] = [];
  const owner: Owner = { shard: 0, recorded: { id: "e5", n: 5 } };
  const watch = new LedgerWatch<Owner>({
    runtime,
    ledger: {
      positions: () => {
        if (state.silent) return new Promise(() => undefined);
        return state.answers ? Promise.resolve(positions) : Promise.reject(new Error("away"));
      },
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
    wentBack: async ({ shard }) => void wentBack.push(shard),
    log: () => undefined,
  });
  return { runtime, state, watch, positions, owner, wentBack };
}

test("shards are released once when commits have been unanswered for too long", async () => {
  const { state, watch } = watched();
  state.silentMs = GIVE_UP_MS;
  await watch.check([]);
  expect([watch.lost, state.gaveUp]).toEqual([false, 0]);
  state.silentMs = GIVE_UP_MS + 1;
  await watch.check([]);
  await watch.check([]);
  expect([watch.lost, state.gaveUp]).toEqual([true, 1]);
});

test("it resumes once pending entries are recorded and the ledger answers", async () => {
  const { runtime, state, watch } = watched();
  state.silentMs = GIVE_UP_MS + 1;
  await watch.check([]);
  state.silentMs = 5; // the next commit has no answer yet
  await watch.check([]);
  expect(watch.lost).toBe(true);
  state.silentMs = 0;
  state.answers = false;
  runtime.pass(1);
  await watch.check([]);
  expect([watch.lost, watch.answers]).toEqual([true, false]);
  state.answers = true;
  await watch.check([]);
  expect([watch.lost, watch.answers]).toEqual([false, true]);
});

test("a ledger that never answers is away after 2 s, and lost if that lasts", async () => {
  const { runtime, state, watch } = watched();
  state.silent = true;
  const checked = watch.check([]);
  await runtime.advance(1_999);
  expect([watch.answers, watch.lost]).toEqual([true, false]);
  await runtime.advance(1);
  await checked;
  expect([watch.answers, watch.lost, state.gaveUp]).toEqual([false, true, 1]);
});

test("a ledger without what it had confirmed went back; one with more did not", async () => {
  const { watch, positions, owner, wentBack } = watched();
  const lookAt = async (lastN: number, lastId: string) => {
    positions.splice(0, 1, { shard: 0, epoch: 1, lastId, lastN });
    await watch.check([owner]);
    return wentBack.splice(0);
  };
  expect(await lookAt(5, "e5")).toEqual([]);
  expect(await lookAt(6, "e6")).toEqual([]);
  expect(await lookAt(4, "e4")).toEqual([0]);
  expect(await lookAt(5, "f5")).toEqual([0]);
});

test("what is recorded while the ledger answers is not missed in its answer", async () => {
  const { watch, owner, wentBack } = watched();
  const checked = watch.check([owner]);
  owner.recorded = { id: "e6", n: 6 };
  await checked;
  expect(wentBack).toEqual([]);
});
