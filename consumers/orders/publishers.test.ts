import { expect, test } from "bun:test";
import type { Kind } from "../../core/domain/fields.ts";
import { messageText } from "../../core/domain/message.ts";
import {
  answerRow,
  cancelRow,
  orderRow,
  partRow,
  type Row,
  redriveRow,
  skipRow,
} from "../../core/domain/row.ts";
import { shardOf } from "../../core/domain/shard.ts";
import { publishers } from "../../core/settings/setting-readers.ts";
import { Publishers } from "./publishers.ts";
import { sift } from "./sift.ts";

const SHARDS = 2;
const userOf = (shard: number) => {
  for (let i = 0; ; i++) if (shardOf(`u${i}`, SHARDS) === shard) return `u${i}`;
};
const ID = "0199f0a0-1234-7abc-8def-0123456789ab";
const ORDER = {
  ...{ id: ID, saleId: "s1", seq: 0, currency: "EUR", lines: [{ sku: "a", qty: 1 }] },
  ...{ payment: "", metadata: "", maxTotal: 0 },
};
const ATTEMPT = { id: ID, generation: 1, attempt: 1 };
const PART = { id: ID, generation: 1, part: 1, of: 1 };
const ROWS: Readonly<Record<Kind, (user: string) => Row>> = {
  order: (user) => orderRow({ ...ORDER, user }, 1),
  skip: (user) => skipRow({ user, saleId: "s1", seq: 3 }, 1),
  cancel: (user) => cancelRow(user, ID, 1),
  answer: (user) => answerRow({ user, ...ATTEMPT }, "captured", "", 1),
  redrive: (user) => redriveRow({ order: { ...ORDER, user }, fingerprint: "f", atMs: 1 }, 2),
  part: (user) => partRow({ user, ...PART }, "claim", "depot", 1),
};
/** The same in format 0. */
const ROWS_0: Readonly<Record<Kind, (user: string) => unknown[]>> = {
  order: (user) => ["o", user, ID, "f", 1, "s1", 0, "EUR", ["a", 1], "", "", 0],
  skip: (user) => ["s", user, "", "", 1, "s1", 3],
  cancel: (user) => ["c", user, ID, "", 1, "", 0],
  answer: (user) => ["p", user, ID, "", 1, "", 0, 1, 1, "captured", ""],
  redrive: (user) => ["r", user, ID, "f", 1, "s1", 0, "EUR", ["a", 1], "", "", 0, 2],
  part: (user) => ["f", user, ID, "", 1, "", 0, 1, 1, 1, "claim", "depot"],
};
const KINDS = Object.keys(ROWS) as Kind[];
const bodies = (kind: Kind, user: string): [string, string] => [
  messageText([ROWS[kind](user)]),
  JSON.stringify([ROWS_0[kind](user)]),
];

const SET = publishers(
  "gateway=gateway,payments=payments,operator=operator,service-*=service,van=service:depot",
  "X",
);

/** The kinds of rows that this publisher's message may hold, or why it may hold none. */
function allowed(
  map: typeof SET,
  message: { userId: string; exchange?: string; origin?: string },
): string {
  const judge = new Publishers(map, SHARDS);
  const given = { exchange: "orders", origin: "", ...message };
  const kinds: Kind[] = [];
  for (const kind of KINDS) {
    const may = bodies(kind, userOf(0)).map((body) => {
      const judged = judge.judge(given, body, 0);
      if ("refused" in judged) return judged.refused;
      return judged.rights === undefined || sift(body, judged.rights).kept.length === 1;
    });
    expect(may[0]).toBe(may[1]);
    if (typeof may[0] === "string") return may[0];
    if (may[0]) kinds.push(kind);
  }
  return kinds.join(" ");
}

test("each publisher may send its own kinds of rows, where it may send them", () => {
  expect(allowed(SET, { userId: "gateway" })).toBe("order skip cancel answer redrive");
  expect(allowed(SET, { userId: "payments" })).toBe("answer");
  expect(allowed(SET, { userId: "service-depot", exchange: "claims" })).toBe("part");
  expect(allowed(SET, { userId: "van", exchange: "claims" })).toBe("part");
  expect(allowed(SET, { userId: "service-other", exchange: "claims" })).toBe("");
  expect(allowed(SET, { userId: "service-depot" })).toMatch(/services publish to/);
  expect(allowed(SET, { userId: "gateway", exchange: "claims" })).toBe("part");
  expect(allowed(SET, { userId: "payments", exchange: "claims" })).toMatch(/is not a service/);
  expect(allowed(SET, { userId: "", exchange: "claims" })).toMatch(/without a user/);
  for (const userId of ["", "guest", "worker", "rates", "service"])
    expect(allowed(SET, { userId })).toMatch(/may publish nothing/);
});

test("a redriven dead letter may hold what its first publisher may send", () => {
  const again = (origin: string, exchange = "orders") =>
    allowed(SET, { userId: "operator", origin, exchange });
  expect(again("gateway")).toBe("order skip cancel answer redrive");
  expect(again("payments")).toBe("answer");
  expect(again("service-depot", "claims")).toBe("part");
  expect(again("service-depot")).toMatch(/services publish to/);
  expect(again("")).toBe("redrive");
  expect(again("operator")).toBe("redrive");
  expect(allowed(SET, { userId: "payments", origin: "gateway" })).toBe("answer");
});

test("without a setting one user may have all roles, but claims need a name", () => {
  expect(allowed([], { userId: "guest" })).toBe("order skip cancel answer redrive part");
  expect(allowed([], { userId: "" })).toBe("order skip cancel answer redrive part");
  expect(allowed([], { userId: "guest", exchange: "claims" })).toBe("part");
  expect(allowed([], { userId: "", exchange: "claims" })).toMatch(/without a user/);
  expect(allowed([], { userId: "payments" })).toBe("answer");
  expect(allowed([], { userId: "service-depot" })).toMatch(/services publish to/);
});

test("only a gateway's rows may name a user of another shard", () => {
  const judge = new Publishers(SET, SHARDS);
  for (const body of bodies("answer", userOf(1))) {
    const judged = judge.judge({ userId: "payments", exchange: "orders", origin: "" }, body, 0);
    if ("refused" in judged) throw new Error(judged.refused);
    expect(sift(body, judged.rights).dead).toMatch(/another shard/);
  }
});

test("a part's row from a gateway is noticed, however it is written", () => {
  const judge = new Publishers(SET, SHARDS);
  const [columns, rows] = bodies("part", userOf(0));
  const escaped = (letter: string) => `\\u00${letter.charCodeAt(0).toString(16)}`;
  for (const body of [
    ...[columns, columns.replace('"report"', ' "report"'), columns.replace('"v":1', '"v": 1')],
    ...[..."report"].map((letter) =>
      columns.replace('"report"', `"${"report".replace(letter, escaped(letter))}"`),
    ),
    columns.replace('"report"', '"rep\\u006Frt"'),
    ...[rows, rows.replace('"f"', ' "f"'), rows.replace('"f"', '"\\u0066"')],
  ]) {
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
