import { expect, test } from "bun:test";
import { chargeKey, parseChargeKey, readPaymentRequest } from "./charge.ts";
import { NAME_PATTERN } from "./order.ts";
import { isPart } from "./part.ts";
import { isName } from "./row-check.ts";
import { nameOfSubject, nameOfUser, subjectOf } from "./user-name.ts";

const SUBJECTS = [
  "auth0|5f7c8ec7c33c6c004bbafe82",
  "google-oauth2|103547991597142817347",
  "f:3f1d7c5e-92a4-4f1e-9a6f-2f4a7b1c9d3e:maria",
  "_kzqFVrSaSaFHy782bbtaQ",
  "maria+shop@example.com",
  "maria lopez",
  "josé",
  "https://id.example/u/1",
  "us-east-1:8f7e2c1d-0b1a-4c2d-9e3f-aaaaaaaaaaaa",
  "@ann",
  "@@ann",
  "-",
];

test("a plain name stays as it is; the name of any other subject leads back to it", () => {
  for (const plain of ["ann", "ann@example.com", "A.b_c-9", "a".repeat(64)])
    expect([nameOfSubject(plain), subjectOf(plain)]).toEqual([plain, plain]);
  for (const subject of SUBJECTS) {
    const name = nameOfSubject(subject) ?? "";
    expect(name).toMatch(/^@[\w.-]{1,63}$/);
    expect(NAME_PATTERN.test(name)).toBe(false);
    expect(subjectOf(name)).toBe(subject);
  }
});

test("a long subject is hashed, and services name it by its hash", () => {
  for (const subject of ["a".repeat(65), "é".repeat(127), `f:${"x".repeat(253)}`]) {
    const name = nameOfSubject(subject) ?? "";
    expect(name).toMatch(/^@@[\w-]{43}$/);
    expect(subjectOf(name)).toBe(name);
    expect(nameOfUser(name)).toBe(name);
    // A token whose subject is such a name is somebody else's.
    expect(nameOfSubject(name)).not.toBe(name);
  }
});

test("a buyer of any name is charged, and their parts are fulfilled", () => {
  const subjects = ["ann", "ann@example.com", ...SUBJECTS, "a".repeat(65), "é".repeat(127)];
  for (const subject of subjects) {
    const user = nameOfSubject(subject) ?? "";
    const of = { user, id: crypto.randomUUID(), generation: 1, attempt: 2 };
    const charge = { kind: "charge", ...of, amount: 4_900, currency: "EUR", payment: "" };
    const part = { ...of, part: 1, of: 1, shard: 0, lines: [] };
    expect(isName(user)).toBe(true);
    expect(readPaymentRequest(charge)).toMatchObject({ user });
    expect(parseChargeKey(chargeKey(of))).toEqual(of);
    expect(isPart(part)).toBe(true);
  }
  for (const user of ["", "a b", "a/b", "é", "a".repeat(65), 7])
    expect(isPart({ user, id: crypto.randomUUID(), generation: 1, part: 1, of: 1 })).toBe(false);
});

test("different subjects have different names", () => {
  const near = ["a|b", "a_7cb", "@a_7cb", "a b", "a+b", "A|b", "@@a", "a|b ", "é", "e\u0301"];
  const all = [...SUBJECTS, ...near, ...near.map((s) => `${s}${"x".repeat(80)}`)];
  expect(new Set(all.map(nameOfSubject)).size).toBe(new Set(all).size);
});

test("an empty subject, one that is too long and one with control characters have no name", () => {
  for (const subject of ["", "a".repeat(256), "é".repeat(128), "a\nb", "\u001b[2J", "a\ud800"])
    expect(nameOfSubject(subject)).toBeUndefined();
});
