import { expect, test } from "bun:test";
import type { Stock } from "../../core/domain/sale.ts";
import { SoldOut } from "./sold-out.ts";

const stock = (sku: string, available: number, releasing = 0): Stock => ({
  sku,
  available,
  releasing,
  held: 0,
  sold: 0,
  initial: 10,
  restocked: 0,
});

class Rig {
  nowMs = 1_000;
  asked = 0;
  units: Stock[] | undefined = [stock("lamp", 0), stock("chair", 3)];
  gate: Promise<void> = Promise.resolve();
  /** How long before a look its answer was asked for. */
  agoMs = 0;
  readonly soldOut = new SoldOut(
    async () => {
      this.asked++;
      const { units } = this;
      const askedMs = this.nowMs - this.agoMs;
      await this.gate;
      if (!units) throw new Error("Redis is away");
      return { stock: units, askedMs };
    },
    () => this.nowMs,
  );

  /** What is sold out once this call's query has been answered. */
  async look(): Promise<string[]> {
    this.soldOut.of("spring");
    await Bun.sleep(0);
    return [...this.soldOut.of("spring")];
  }
}

test("an item is sold out once Redis reports no units and none on their way back", async () => {
  const rig = new Rig();
  expect([...rig.soldOut.of("spring")]).toEqual([]);
  expect(await rig.look()).toEqual(["lamp"]);
  rig.units = [stock("lamp", 0, 1)];
  rig.nowMs += 250;
  expect(await rig.look()).toEqual([]);
});

test("however many orders arrive, Redis is queried at most five times a second", async () => {
  const rig = new Rig();
  for (let i = 0; i < 1_000; i++) {
    rig.nowMs += 1;
    rig.soldOut.of("spring");
    await Promise.resolve();
  }
  expect(rig.asked).toBeLessThanOrEqual(6);
});

test("a flag expires within a second when Redis stops answering", async () => {
  const rig = new Rig();
  await rig.look();
  rig.units = undefined;
  rig.nowMs += 999;
  expect(await rig.look()).toEqual(["lamp"]);
  rig.nowMs += 1;
  expect(await rig.look()).toEqual([]);
});

test("a flag expires a second after its query, however late its answer is used", async () => {
  const rig = new Rig();
  rig.agoMs = 900; // others had asked
  expect(await rig.look()).toEqual(["lamp"]);
  rig.nowMs += 99;
  expect([...rig.soldOut.of("spring")]).toEqual(["lamp"]);
  rig.nowMs += 1;
  expect([...rig.soldOut.of("spring")]).toEqual([]);
  rig.agoMs = 1_000;
  rig.nowMs += 250;
  expect(await rig.look()).toEqual([]);
});

test("a returned unit clears the flag at once; an older answer does not set it", async () => {
  const rig = new Rig();
  await rig.look();
  const open = Promise.withResolvers<void>();
  rig.gate = open.promise;
  rig.nowMs += 250;
  rig.soldOut.of("spring"); // asked, not answered
  rig.soldOut.unitsBack();
  expect([...rig.soldOut.of("spring")]).toEqual([]);
  open.resolve();
  await Bun.sleep(0);
  expect([...rig.soldOut.of("spring")]).toEqual([]);
  rig.nowMs += 1;
  expect(await rig.look()).toEqual(["lamp"]);
});
