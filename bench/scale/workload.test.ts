import { expect, test } from "bun:test";
import { MAX_ITEMS_PER_SALE } from "../../core/domain/sale.ts";
import { bodiesOver, salesOver } from "./workload.ts";

interface Body {
  readonly saleId: string;
  readonly lines: readonly { readonly sku: string }[];
}

const parse = (body: string): Body => JSON.parse(`{${body}`) as Body;

for (const items of [10, 1_000, 25_000])
  test(`over ${items} items each body names items of one sale, and one in ten finds stock`, () => {
    const sales = salesOver(items, 0);
    expect(sales.every((sale) => sale.items.length <= MAX_ITEMS_PER_SALE)).toBe(true);
    expect(sales.reduce((sum, sale) => sum + sale.items.length, 0)).toBe(items);
    const initial = new Map(
      sales.flatMap(({ id, items: all }) =>
        all.map((item) => [`${id} ${item.sku}`, item.initial] as const),
      ),
    );
    let available = 0;
    const bodies = bodiesOver(items).map(parse);
    for (const { saleId, lines } of bodies) {
      expect(new Set(lines.map(({ sku }) => sku)).size).toBe(lines.length);
      const units = lines.map(({ sku }) => initial.get(`${saleId} ${sku}`));
      expect(units.every((one) => one !== undefined && one > 0 === (units[0] !== 0))).toBe(true);
      if (units[0] !== 0) available++;
    }
    expect(available).toBe(bodies.length / 10);
  });
