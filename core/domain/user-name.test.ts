import { expect, test } from "bun:test";
import { NAME_PATTERN } from "./order.ts";
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

test("a plain name is its own, and what identity providers use has a name that tells it", () => {
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

test("different subjects have different names", () => {
  const near = ["a|b", "a_7cb", "@a_7cb", "a b", "a+b", "A|b", "@@a", "a|b ", "é", "e\u0301"];
  const all = [...SUBJECTS, ...near, ...near.map((s) => `${s}${"x".repeat(80)}`)];
  expect(new Set(all.map(nameOfSubject)).size).toBe(new Set(all).size);
});

test("nobody is called nothing, something too long, or control characters", () => {
  for (const subject of ["", "a".repeat(256), "é".repeat(128), "a\nb", "\u001b[2J", "a\ud800"])
    expect(nameOfSubject(subject)).toBeUndefined();
});
