import { expect, test } from "bun:test";
import type { ChargeStatus } from "../../core/domain/charge.ts";
import { type ChargeEvent, meaningOf } from "./webhook-event.ts";

const OF = { user: "ann", id: "01a20b92-dfe4-7013-bd3c-9575ce90fe02", generation: 1, attempt: 1 };
const meaning = (kind: ChargeEvent["kind"], status: ChargeStatus) =>
  meaningOf({ kind, of: OF, amount: 1, currency: "EUR" }, { amount: 1, currency: "EUR", status });
const STATUSES: readonly ChargeStatus[] = [
  "started",
  "failed",
  "unknown",
  "unresolved",
  "captured",
  "refunding",
  "refunded",
  "refund_failed",
  "returned",
  "disputed",
];

test("an event that matches the status, or an older one, is no news", () => {
  for (const [kind, status] of [
    ["captured", "captured"],
    ["captured", "refunded"],
    ["captured", "returned"],
    ["declined", "failed"],
    ["pending", "captured"],
    ["refunded", "refunded"],
    ["refunded", "returned"],
    ["disputed", "disputed"],
  ] as const)
    expect(meaning(kind, status)).toEqual({ kind: "no_news" });
});

test("impossible events are misfits: declined after captured, disputed after refunded", () => {
  for (const status of STATUSES.slice(4)) expect(meaning("declined", status).kind).toBe("misfit");
  for (const status of ["refunded", "returned"] as const)
    expect(meaning("disputed", status).kind).toBe("misfit");
});

test("a refund is Sluice's own if it asked for one, otherwise the provider's", () => {
  const last = (status: ChargeStatus) => {
    const known = meaning("refunded", status);
    return known.kind === "news" ? known.words.at(-1) : known.kind;
  };
  expect(STATUSES.map((status) => [status, last(status)])).toEqual([
    ["started", "returned"],
    ["failed", "refunded"],
    ["unknown", "refunded"],
    ["unresolved", "refunded"],
    ["captured", "returned"],
    ["refunding", "refunded"],
    ["refunded", "no_news"],
    ["refund_failed", "refunded"],
    ["returned", "no_news"],
    ["disputed", "returned"],
  ]);
});

test("an attempt that has not been requested has no events", () => {
  for (const kind of ["captured", "declined", "pending", "refunded", "disputed"] as const)
    for (const status of ["waiting", "dropped"] as const)
      expect(meaning(kind, status).kind).toBe("misfit");
});
