// docs/howto/capacity.md runs these scripts against an installation, with this sale.
import { expect, test } from "bun:test";
import { join } from "node:path";

test("the rehearsal's sale has every item that the scripts order", async () => {
  Object.assign(globalThis, { __ENV: {} });
  const { itemOf } = await import("./orders.ts");
  const sale = (await Bun.file(join(import.meta.dir, "rehearsal-sale.json")).json()) as {
    items: { sku: string }[];
  };
  const ordered = new Set(Array.from({ length: 5_000 }, itemOf));
  expect([...ordered].sort()).toEqual(sale.items.map(({ sku }) => sku).sort());
});
