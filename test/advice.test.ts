// Every command that the product tells people to run must be one that it accepts.
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inertProgram, refusal, words } from "./doc-commands.ts";

const ROOT = join(import.meta.dir, "..");
const SOURCES = [
  "core/domain/finding.ts",
  "deploy/prometheus/alerts.yml",
  ...readdirSync(join(ROOT, "cli", "doctor"))
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => `cli/doctor/${name}`),
];
const program = await inertProgram();

/** Commands stand in single quotes; a template's value stands for a word. */
function advised(text: string): string[] {
  return [...text.replaceAll(/\$\{[^}]*\}/g, "ID").matchAll(/'sluice ([^']+)'/g)].map(
    ([, command = ""]) => command.replaceAll(/\s+/g, " "),
  );
}

const refused = (text: string): string[] =>
  advised(text).flatMap((command) => {
    const why = refusal(program, words(command), false);
    return why === undefined ? [] : [`${command}: ${why}`];
  });

test.each(SOURCES)("%s advises no command that would be refused", (source) => {
  expect(refused(readFileSync(join(ROOT, source), "utf8"))).toEqual([]);
});

test("there is advice, and a command that does not exist is noticed", () => {
  const texts = SOURCES.map((source) => readFileSync(join(ROOT, source), "utf8"));
  expect(texts.flatMap(advised).length).toBeGreaterThan(30);
  expect(refused("'sluice fulfil warehouse', or 'sluice workers resume ID'")).toHaveLength(1);
});

test("a fix in doctor's words quotes its commands", () => {
  for (const source of SOURCES.filter((name) => name.startsWith("cli/doctor/"))) {
    const code = readFileSync(join(ROOT, source), "utf8").replaceAll(/^\s*(\/\/|\/?\*).*$/gm, "");
    const bare = [...code.matchAll(/.?sluice (?:worker|rates|fulfil|routes|webhooks|dead)\b/g)];
    expect(bare.map(([found]) => found).filter((found) => !found.startsWith("'"))).toEqual([]);
  }
});
