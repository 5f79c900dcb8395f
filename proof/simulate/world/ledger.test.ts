// The simulated ledger: what is in doubt, silence, and going back, on the real ledger's code.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { at } from "../../../core/domain/at.ts";
import { VirtualRuntime } from "../../../core/runtime/testing.ts";
import { LedgerUnavailable } from "../../../ledger/db.ts";
import { emptyLedger, type LedgerAccess, type LedgerImage, WorldLedger } from "./ledger.ts";
import { NO_TROUBLE } from "./link.ts";
import { TestScheduler } from "./testing.ts";

const SHARDS = 2;
let image: LedgerImage | undefined;
let scheduler: TestScheduler;
let world: WorldLedger;

async function worldOf(seed: number): Promise<void> {
  image ??= await emptyLedger(new VirtualRuntime(), SHARDS);
  scheduler = new TestScheduler(seed);
  world = new WorldLedger(scheduler, scheduler.runtime(), image);
}

beforeEach(() => worldOf(1));
afterEach(() => world.free());

const open = (name: string): Promise<LedgerAccess> => world.open(name, scheduler.runtime());

async function epoch(shard = 0): Promise<number> {
  const { ledger } = await world.look();
  return at(await ledger.positions(), shard).epoch;
}

/** The error of a call that is expected to fail. */
const errorOf = (call: Promise<unknown>): Promise<unknown> =>
  scheduler.until(
    call.then(
      () => undefined,
      (error) => error,
    ),
  );

test("processes share one ledger; calls take effect in the order they were sent", async () => {
  const [a, b] = [await open("a"), await open("b")];
  const taken = Promise.all([a.writer.takeShard(0, "a"), a.writer.takeShard(0, "a")]);
  expect((await scheduler.until(taken)).map(({ epoch }) => epoch)).toEqual([1, 2]);
  const positions = await scheduler.until(b.ledger.positions());
  expect(positions.map(({ epoch }) => epoch)).toEqual([2, 0]);
});

test.each([
  ["lostBefore", 0],
  ["lostAfter", 1],
  ["refused", 0],
] as const)("a commit that is %s is an error, and the epoch is %d", async (fate, expected) => {
  const { writer } = await open("a");
  world.trouble(NO_TROUBLE, { ...NO_TROUBLE, [fate]: 1 });
  expect(await errorOf(writer.takeShard(0, "a"))).toBeInstanceOf(LedgerUnavailable);
  expect(await epoch()).toBe(expected);
});

test("in silence a call fails by its deadline; it is done when the silence ends", async () => {
  const { writer } = await open("a");
  world.silence();
  const failed = errorOf(writer.takeShard(0, "a"));
  expect(await failed).toBeInstanceOf(LedgerUnavailable);
  expect(await epoch()).toBe(0);
  world.heal();
  await scheduler.run();
  expect(await epoch()).toBe(1);
});

test("one process's commits take their time, while another's do not", async () => {
  const [a, b] = [await open("a"), await open("b")];
  const over: string[] = [];
  const take = async (name: string, { writer }: LedgerAccess, shard: number) => {
    await writer.takeShard(shard, name);
    over.push(name);
  };
  world.troubleOne("a", { ...NO_TROUBLE, usualMs: 10_000 });
  await scheduler.until(Promise.all([take("a", a, 0), take("b", b, 1)]));
  expect(over).toEqual(["b", "a"]);
  world.troubleOne("a", undefined);
  const fromMs = scheduler.nowMs();
  await scheduler.until(take("a", a, 0));
  expect(scheduler.nowMs() - fromMs).toBeLessThan(3);
});

test("a crashed process receives nothing, and what it had sent may be committed", async () => {
  const committed = new Set<number>();
  for (let seed = 1; seed <= 10; seed++) {
    await world.free();
    await worldOf(seed);
    const { writer } = await open("a");
    let heard = false;
    const taken = writer.takeShard(0, "a");
    taken.finally(() => {
      heard = true;
    });
    world.crashed("a");
    await scheduler.run(undefined, 1_000);
    expect(heard).toBe(false);
    committed.add(await epoch());
  }
  expect([...committed].sort()).toEqual([0, 1]);
});

test("a frozen process gets its answers when it is thawed", async () => {
  const { writer } = await open("a");
  world.freeze("a");
  let heard = false;
  const taken = writer.takeShard(0, "a").finally(() => {
    heard = true;
  });
  await scheduler.run(undefined, 5_000);
  expect([heard, await epoch()]).toEqual([false, 1]);
  world.thaw("a");
  await scheduler.until(taken);
});

test("it goes back to a backup, and whoever had it open reads the backup", async () => {
  const { writer, ledger } = await open("a");
  await scheduler.until(writer.takeShard(0, "a"));
  const backup = world.backup();
  await scheduler.until(writer.takeShard(0, "a"));
  await world.goBack(backup);
  expect(at(await scheduler.until(ledger.positions()), 0).epoch).toBe(1);
  expect((await scheduler.until(writer.takeShard(0, "a"))).epoch).toBe(2);
});

test("a journal is read in chunks, each a request of its own", async () => {
  const { ledger } = await open("a");
  const found = await scheduler.until(Array.fromAsync(ledger.replay(0)));
  expect(found.flat()).toEqual([]);
  expect(scheduler.trace.filter((line) => line.includes("replay"))).not.toBeEmpty();
});

test("the same seed gives the same trace and the same ledger", async () => {
  const run = async (): Promise<string> => {
    await world.free();
    await worldOf(7);
    const [a, b] = [await open("a"), await open("b")];
    const hard = { ...NO_TROUBLE, lostAfter: 0.3, lostBefore: 0.3, slow: 0.3 };
    world.trouble(hard, hard);
    const calls = Array.from({ length: 40 }, (_, i) =>
      (i % 2 === 0 ? a : b).writer.takeShard(i % SHARDS, `w${i}`).then(
        ({ epoch }) => String(epoch),
        (error) => String(error),
      ),
    );
    const ends = await scheduler.until(Promise.all(calls));
    return [...scheduler.trace, ...ends, Bun.hash(world.backup())].join("\n");
  };
  expect(await run()).toBe(await run());
});
