import { expect, test } from "bun:test";
import { shardOf } from "../../core/domain/shard.ts";
import { publishers } from "../../core/settings/setting-readers.ts";
import { Publishers } from "./publishers.ts";
import { sift } from "./sift.ts";

const SHARDS = 2;
const userOf = (shard: number) => {
  for (let i = 0; ; i++) if (shardOf(`u${i}`, SHARDS) === shard) return `u${i}`;
};
const ID = "0199f0a0-1234-7abc-8def-0123456789ab";
const ROWS = {
  o: (user: string) => ["o", user, ID, "f", 1, "s1", 0, "EUR", ["a", 1], "", "", 0],
  s: (user: string) => ["s", user, "", "", 1, "s1", 3],
  c: (user: string) => ["c", user, ID, "", 1, "", 0],
  p: (user: string) => ["p", user, ID, "", 1, "", 0, 1, 1, "captured", ""],
  r: (user: string) => ["r", user, ID, "f", 1, "s1", 0, "EUR", ["a", 1], "", "", 0, 2],
  f: (user: string, service = "depot") => [
    ...["f", user, ID, "", 1, "", 0, 1, 1, 1, "claim"],
    service,
  ],
};
type Kind = keyof typeof ROWS;

const SET = publishers(
  "gateway=gateway,payments=payments,operator=operator,service-*=service,van=service:depot",
  "X",
);

/** The kinds of rows that a message of this publisher may hold, and why not when none. */
function allowed(
  map: typeof SET,
  message: { userId: string; exchange?: string; origin?: string },
): string {
  const judge = new Publishers(map, SHARDS);
  const given = { exchange: "orders", origin: "", ...message };
  let kinds = "";
  for (const kind of Object.keys(ROWS) as Kind[]) {
    const body = JSON.stringify([ROWS[kind](userOf(0))]);
    const judged = judge.judge(given, body, 0);
    if ("refused" in judged) return judged.refused;
    if (judged.rights === undefined || sift(body, judged.rights).body === body) kinds += kind;
  }
  return kinds;
}

test("each publisher may send its own kinds of rows, where it may send them", () => {
  expect(allowed(SET, { userId: "gateway" })).toBe("oscpr");
  expect(allowed(SET, { userId: "payments" })).toBe("p");
  expect(allowed(SET, { userId: "service-depot", exchange: "claims" })).toBe("f");
  expect(allowed(SET, { userId: "van", exchange: "claims" })).toBe("f");
  expect(allowed(SET, { userId: "service-other", exchange: "claims" })).toBe("");
  expect(allowed(SET, { userId: "service-depot" })).toMatch(/services publish to/);
  expect(allowed(SET, { userId: "gateway", exchange: "claims" })).toMatch(/no service/);
  expect(allowed(SET, { userId: "", exchange: "claims" })).toMatch(/nobody/);
  for (const userId of ["", "guest", "worker", "rates", "service"])
    expect(allowed(SET, { userId })).toMatch(/may publish nothing/);
});

test("a dead letter that is sent again may hold what its first publisher may send", () => {
  const again = (origin: string, exchange = "orders") =>
    allowed(SET, { userId: "operator", origin, exchange });
  expect(again("gateway")).toBe("oscpr");
  expect(again("payments")).toBe("p");
  expect(again("service-depot", "claims")).toBe("f");
  expect(again("service-depot")).toMatch(/services publish to/);
  expect(again("")).toBe("r");
  expect(again("operator")).toBe("r");
  expect(allowed(SET, { userId: "payments", origin: "gateway" })).toBe("p");
});

test("without a setting one user for all goes on working, but claims need a name", () => {
  expect(allowed([], { userId: "guest" })).toBe("oscprf");
  expect(allowed([], { userId: "" })).toBe("oscprf");
  expect(allowed([], { userId: "guest", exchange: "claims" })).toBe("f");
  expect(allowed([], { userId: "", exchange: "claims" })).toMatch(/nobody/);
  expect(allowed([], { userId: "payments" })).toBe("p");
  expect(allowed([], { userId: "service-depot" })).toMatch(/services publish to/);
});

test("a row whose user belongs to another shard is nobody's but a gateway's", () => {
  const judge = new Publishers(SET, SHARDS);
  const body = JSON.stringify([ROWS.p(userOf(1))]);
  const judged = judge.judge({ userId: "payments", exchange: "orders", origin: "" }, body, 0);
  if ("refused" in judged) throw new Error(judged.refused);
  expect(sift(body, judged.rights).dead).toMatch(/another shard/);
});

test("a part's row from a gateway is found out however it is written", () => {
  const judge = new Publishers(SET, SHARDS);
  const plain = JSON.stringify([ROWS.f(userOf(0))]);
  for (const body of [plain, plain.replace('"f"', ' "f"'), plain.replace('"f"', '"\\u0066"')]) {
    const judged = judge.judge({ userId: "gateway", exchange: "orders", origin: "" }, body, 0);
    if ("refused" in judged) throw new Error(judged.refused);
    expect(sift(body, judged.rights).dead).toMatch(/may not send/);
  }
});

test.each(["gateway", "gateway=boss", "x=service", "=all", "x=all:y"])(
  "SLUICE_PUBLISHERS=%s is refused",
  (value) => {
    expect(() => publishers(value, "SLUICE_PUBLISHERS")).toThrow(/SLUICE_PUBLISHERS must be/);
  },
);
