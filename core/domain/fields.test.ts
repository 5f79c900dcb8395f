import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FIELDS, type Field, KINDS, type Kind, LINE_FIELDS } from "./fields.ts";
import { ANSWER_WORDS, PART_WORDS } from "./limits.ts";
import { readMessage } from "./message.ts";
import { firstProblem } from "./row-check.ts";

const page = readFileSync(join(import.meta.dir, "../../docs/messages.md"), "utf8");

function lineOf(name: string, field: Omit<Field, "default">): string {
  const every = field.kinds.length === Object.keys(KINDS).length;
  const kinds = every ? "all" : field.kinds.map((kind: Kind) => KINDS[kind]).join(" ");
  const most = field.most === undefined ? "" : ` ≤ ${field.most.toLocaleString("en-US")}`;
  return `| \`${name}\` | ${field.type}${most} | ${kinds} | ${field.meaning} |`;
}

test("docs/messages.md lists the fields as they are", () => {
  const orders = ["order", "redrive"] as const;
  const expected = [
    ...Object.entries(FIELDS).map(([name, field]) => lineOf(name, field)),
    ...Object.entries(LINE_FIELDS).map(([name, field]) =>
      lineOf(name, { ...field, kinds: orders }),
    ),
  ];
  const listed = page.split("\n").filter((line) => expected.includes(line));
  expect(listed).toEqual(expected);
  const table = page.slice(page.indexOf("| column |"), page.indexOf("| type | a value |"));
  expect(table.trim().split("\n")).toHaveLength(expected.length + 2);
});

test("docs/messages.md lists kinds and words as they are", () => {
  for (const letter of Object.values(KINDS)) expect(page).toContain(`| \`${letter}\` | `);
  for (const words of [ANSWER_WORDS, PART_WORDS])
    expect(page.replaceAll("\n", " ")).toContain(words.map((word) => `\`${word}\``).join(", "));
});

test("the example in docs/messages.md is a message that can be decided", () => {
  const example = /```json\n([^`]*)```/.exec(page)?.[1] ?? "";
  const rows = readMessage(example);
  expect(rows.count).toBe(2);
  expect(firstProblem(rows)).toBeUndefined();
});
