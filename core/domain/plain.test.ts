import { expect, test } from "bun:test";
import { plain, plainJson, plainLines } from "./plain.ts";

test("whatever a terminal obeys, or nobody sees, is written out", () => {
  expect(plain("a\u001b[31mb\r\nc\u009b2J")).toBe("a\\u{1b}[31mb\\u{d}\\u{a}c\\u{9b}2J");
  expect(plain("\u202egnp.exe\u2066")).toBe("\\u{202e}gnp.exe\\u{2066}");
  expect(plain("a\u2028b\ud800c\ufeff")).toBe("a\\u{2028}b\\u{d800}c\\u{feff}");
});

test("text in any script stays as it is", () => {
  for (const text of ["Müller & Söhne", "日本語", "نام‌خانوادگی", "👩‍🚀 ok", "back\\slash"])
    expect(plain(text)).toBe(text);
});

test("JSON keeps its meaning and its lines, and has no control characters", () => {
  const value = { "\u009b2J": ["a\u202eb", "c\u001b\n", "\u{e0001}", "é"] };
  const text = plainJson(value, 2);
  expect(text).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
  expect(text.split("\n").length).toBeGreaterThan(4);
  expect(JSON.parse(text)).toEqual(value);
  expect(plainLines("a\u0007\nb")).toBe("a\\u{7}\nb");
});
