// Which categories reach no service, and for how long that is reported.
import { expect, test } from "bun:test";
import type { ServiceCount } from "../../core/domain/report.ts";
import type { Sale } from "../../core/domain/sale.ts";
import { workerReport } from "../../core/domain/test-reports.ts";
import { routingOf, ServiceMemory } from "./routing.ts";

const CLOSES = 1_000;
const item = { sku: "boot", name: "Boot", category: "shoes", units: 1, withdrawn: false };
const sale = { id: "spring", opensAtMs: 0, closesAtMs: CLOSES, items: [item] } as unknown as Sale;
const routes = [{ region: "", category: "shoes", service: "shoemaker" }];
const queue = (change: Partial<ServiceCount> = {}): ServiceCount => ({
  ...{ service: "shoemaker", region: "eu", messages: 0, consumers: 0 },
  ...change,
});
const found = (sales: Sale[], counts: ServiceCount[], nowMs: number) =>
  routingOf(sales, routes, { roles: [], counts }, nowMs).map(
    ({ saleId, service, waiting }) => `${saleId}: ${service} ${waiting}`,
  );

test("a service that nobody runs is reported until no part waits for it, whatever the sale", () => {
  expect(found([sale], [queue()], CLOSES - 1)).toEqual(["spring: shoemaker 0"]);
  const waits = [queue({ messages: 1 }), queue({ region: "us", messages: 2 })];
  expect(found([sale], waits, CLOSES - 1)).toEqual(["spring: shoemaker 3"]);
  expect(found([sale], waits, CLOSES)).toEqual(["spring: shoemaker 3"]);
  expect(found([], waits, CLOSES)).toEqual([": shoemaker 3"]);
  expect(found([sale], [queue()], CLOSES)).toEqual([]);
  expect(found([sale], [queue({ messages: 1, consumers: 1 })], CLOSES)).toEqual([]);
});

test("a count lasts while its broker is away or nobody counts; an answer replaces it", () => {
  const memory = new ServiceMemory();
  const worker = (services?: ServiceCount[]) => [workerReport(services ? { services } : {})];
  const [eu, us] = [queue({ messages: 1 }), queue({ region: "us" })];
  expect(memory.look(worker([eu, us]), new Set())).toEqual([eu, us]);
  expect(memory.look(worker(), new Set())).toEqual([eu, us]);
  // Another worker counts now, which has never seen the region that is away.
  expect(memory.look(worker([us]), new Set(["eu"]))).toEqual([us, eu]);
  expect(memory.look(worker([us]), new Set())).toEqual([us]);
});
