import { expect, test } from "bun:test";
import { NEW_SALE } from "../../gateway/admin/sale-form.ts";
import { refusedWords } from "./change-words.ts";
import { mustFit } from "./sale-changes.ts";

const ITEM = { sku: "moon", category: "posters", priceMinor: 1, initial: 2 };
const SALE = {
  ...{ id: "posters", currency: "EUR", items: [ITEM] },
  ...{ opensAt: "2026-01-01T00:00:00Z", closesAt: "2100-01-01T00:00:00Z" },
};
const check = (sale: object) => () => mustFit(NEW_SALE, sale, "sale.json");

test("every flaw of a sale's file is named at once, its rule in words", () => {
  expect(check(SALE)).not.toThrow();
  expect(check({ ...SALE, id: "a b" })).toThrow("'sale.json': id: 1 to 64 letters");
  const bad = { ...SALE, id: "a b", opensAt: "2026", items: [ITEM, { sku: "x" }] };
  expect(check(bad)).toThrow(
    /id: 1 to 64 .*\n {2}opensAt: an RFC 3339 time.*\n {2}items\[1\]\.category: Missing field\n/,
  );
  const many = { ...SALE, items: Array.from({ length: 30 }, () => ({})) };
  expect(check(many)).toThrow(/\n {2}… and 108 more$/);
});

test("a sale that would close before it opens names the command line's own flag", () => {
  const open = { kind: "open", ref: "r", saleId: "demo", atMs: 5 } as const;
  const words = refusedWords(open, "bad_window", { sale: undefined, named: false });
  expect(words).toBe("demo: it would close before it opens; give --closes-at, later than it opens");
});
