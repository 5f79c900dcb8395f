import { expect, test } from "bun:test";
import { judgeOrderId } from "../../core/domain/order-id.ts";
import type { SentBody } from "../history.ts";
import { makePlan } from "./plan.ts";

const NOW_MS = 1_790_000_000_000;
const plan = makePlan({ orders: 20_000, seed: 7, nowMs: NOW_MS });
const orders = plan.steps.filter((step) => step.kind === "order");
const bodyOf = (step: (typeof orders)[number]) => JSON.parse(step.bodyText) as SentBody;

test("the same seed makes the same rush, another seed a different one", () => {
  const again = makePlan({ orders: 20_000, seed: 7, nowMs: NOW_MS });
  expect(again.steps).toEqual(plan.steps);
  expect(makePlan({ orders: 20_000, seed: 8, nowMs: NOW_MS }).steps).not.toEqual(plan.steps);
});

test("every order has its own id that a gateway would accept", () => {
  const ids = new Set(orders.map((step) => step.order.id));
  expect(ids.size).toBe(20_000);
  for (const id of ids) expect(judgeOrderId(id, NOW_MS)).toBe("ok");
});

test("5% are sent twice and 1% altered", () => {
  const share = (copy: string) => orders.filter((step) => step.copy === copy).length / 20_000;
  expect(share("exact")).toBeWithin(0.045, 0.055);
  expect(share("altered")).toBeWithin(0.007, 0.013);
});

test("an altered copy differs from its order, an exact one does not", () => {
  const first = new Map(
    orders.filter((s) => s.copy === "first").map((s) => [s.order.id, s.bodyText]),
  );
  for (const step of orders) {
    if (step.copy === "exact") expect(step.bodyText).toBe(first.get(step.order.id) as string);
    if (step.copy === "altered") expect(step.bodyText).not.toBe(first.get(step.order.id) as string);
  }
});

test("a numbered user uses or gives up every number once, some out of turn", () => {
  const numbers = new Map<string, number[]>();
  const use = (user: string, seq: number) => numbers.set(user, [...(numbers.get(user) ?? []), seq]);
  for (const step of plan.steps) {
    if (step.kind === "skip") use(step.user, step.seq);
    else if (step.kind === "order" && step.copy === "first" && bodyOf(step).seq)
      use(step.order.user, bodyOf(step).seq as number);
  }
  let outOfTurn = 0;
  for (const used of numbers.values()) {
    expect(used.toSorted((a, b) => a - b)).toEqual(used.map((_, i) => i + 1));
    if (used.some((seq, i) => seq !== i + 1)) outOfTurn++;
  }
  expect(outOfTurn).toBeGreaterThan(100);
});

test("stock covers a tenth of the demand for every item", () => {
  const demand = new Map<string, number>();
  for (const step of orders) {
    if (step.copy === "first")
      for (const { sku, qty } of bodyOf(step).lines) demand.set(sku, (demand.get(sku) ?? 0) + qty);
  }
  expect(plan.sale.items.length).toBe(20);
  for (const item of plan.sale.items)
    expect(item.initial).toBe(Math.floor((demand.get(item.sku) ?? 0) / 10));
});

test("3% of orders are cancelled, some before they are sent", () => {
  const cancels = plan.steps.flatMap((step, i) =>
    step.kind === "cancel" ? [{ order: step.order, at: i }] : [],
  );
  const first = new Map(
    plan.steps
      .map((step, i) => [step, i] as const)
      .flatMap(([s, i]) => (s.kind === "order" && s.copy === "first" ? [[s.order, i]] : [])),
  );
  expect(cancels.length / plan.orders).toBeCloseTo(0.03, 2);
  const ahead = cancels.filter(({ order, at }) => at < (first.get(order) ?? 0)).length;
  expect(ahead / cancels.length).toBeCloseTo(0.2, 1);
});
