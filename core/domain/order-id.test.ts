import { expect, test } from "bun:test";
import { ID_MAX_AGE_MS, ID_MAX_AHEAD_MS, judgeOrderId, orderIdTimeMs } from "./order-id.ts";
import { isOrderState, OPEN_STATES, TERMINAL_STATES } from "./outcome.ts";

const NOW_MS = 1_790_000_000_000;
const idAt = (ms: number) => Bun.randomUUIDv7("hex", ms);

test("an id contains the time it was created with", () => {
  expect(orderIdTimeMs(idAt(NOW_MS))).toBe(NOW_MS);
  expect(orderIdTimeMs(idAt(0xabcdef012345).toUpperCase())).toBe(0xabcdef012345);
});

test("an id is accepted within its window and refused a millisecond outside", () => {
  expect(judgeOrderId(idAt(NOW_MS - ID_MAX_AGE_MS), NOW_MS)).toBe("ok");
  expect(judgeOrderId(idAt(NOW_MS - ID_MAX_AGE_MS - 1), NOW_MS)).toBe("stale");
  expect(judgeOrderId(idAt(NOW_MS + ID_MAX_AHEAD_MS), NOW_MS)).toBe("ok");
  expect(judgeOrderId(idAt(NOW_MS + ID_MAX_AHEAD_MS + 1), NOW_MS)).toBe("future");
});

test("anything but a lower-case UUIDv7 is malformed", () => {
  for (const id of [
    "",
    "__proto__",
    crypto.randomUUID(),
    idAt(NOW_MS).toUpperCase(),
    `${idAt(NOW_MS)} `,
  ])
    expect(judgeOrderId(id, NOW_MS)).toBe("malformed");
});

test("no state is both open and terminal, and unknown words are not states", () => {
  expect(new Set([...OPEN_STATES, ...TERMINAL_STATES]).size).toBe(
    OPEN_STATES.length + TERMINAL_STATES.length,
  );
  expect(isOrderState("reserved")).toBe(true);
  expect(isOrderState("conflict")).toBe(false);
});
