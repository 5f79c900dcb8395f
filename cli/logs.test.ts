// The logs of the roles: their last lines, and what comes later, through restarts and cuts.
import { expect, test } from "bun:test";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cutIfLong } from "../services/log-files.ts";
import { testDir } from "../test/services.ts";
import { Logs } from "./commands/logs.ts";
import { logLine } from "./log-lines.ts";
import { LogTail } from "./log-tail.ts";

const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`).join("");

test("the last lines of a long log, then each new line once it is whole", () => {
  const file = join(testDir("log-tail"), "worker-1.log");
  // More than one chunk, with characters of several bytes across its bounds.
  writeFileSync(file, `${"ä".repeat(400_000)}\n${numbered(0, 60_000)}`);
  const tail = new LogTail(file);
  expect(tail.end(2)).toEqual(["line 59998", "line 59999"]);
  expect(tail.news()).toEqual([]);
  appendFileSync(file, "one\ntw");
  expect(tail.news()).toEqual(["one"]);
  appendFileSync(file, "o\nthrée\n");
  expect(tail.news()).toEqual(["two", "thrée"]);
  expect(new LogTail(file).end(1)).toEqual(["thrée"]);
});

test("a log that is cut loses no line for its follower, and its older part is still shown", () => {
  const file = join(testDir("log-tail"), "worker-1.log");
  writeFileSync(file, numbered(0, 10));
  const tail = new LogTail(file);
  expect(tail.end(1)).toEqual(["line 9"]);
  appendFileSync(file, numbered(10, 12));
  cutIfLong(file, 10, 1_000);
  appendFileSync(file, numbered(12, 13));
  expect(tail.news()).toEqual(["line 10", "line 11", "line 12"]);
  expect(new LogTail(file).end(3)).toEqual(["line 10", "line 11", "line 12"]);
});

const event = (role: string, second: number, more: object = {}): string => {
  const at = `2026-01-01T00:00:0${second}.000Z`;
  return `${JSON.stringify({ severity: "info", at, role, event: `${role} ${second}`, ...more })}\n`;
};

test("roles are merged by time, chosen by name or kind, and found when they appear later", () => {
  const dir = testDir("logs");
  writeFileSync(join(dir, "worker-1.log"), event("worker-1", 1) + event("worker-1", 3));
  writeFileSync(join(dir, "worker-2.log"), event("worker-2", 2));
  writeFileSync(join(dir, "gateway-eu.log"), event("gateway-eu", 4));
  const eventsOf = (lines: readonly string[]) =>
    lines.map((line) => (JSON.parse(line) as { event: string }).event);
  const workers = new Logs(dir, "worker", true);
  expect(eventsOf(workers.end(2))).toEqual(["worker-2 2", "worker-1 3"]);
  expect(new Logs(dir, undefined, true).end(0)).toEqual([]);
  writeFileSync(join(dir, "worker-3.log"), event("worker-3", 6));
  appendFileSync(join(dir, "worker-1.log"), event("worker-1", 5));
  appendFileSync(join(dir, "gateway-eu.log"), event("gateway-eu", 5));
  expect(eventsOf(workers.news())).toEqual(["worker-1 5", "worker-3 6"]);
  expect(workers.news()).toEqual([]);
});

test("a line as text: its time, role, severity and members; nothing that a terminal obeys", () => {
  const error = "no \u001b[2J or \u009b2J";
  const line = event("worker-1", 1, { severity: "warn", shard: 3, error });
  const { text, atMs } = logLine("worker-1", line, false);
  expect(atMs).toBe(Date.parse("2026-01-01T00:00:01Z"));
  expect(text).toMatch(/^2026-01-01T00:00:01.000Z {2}worker-1 +warn +worker-1 1 {2}shard=3 {2}/);
  expect(text).not.toMatch(/\p{Cc}/u);
  expect(logLine("worker-1", line, true).text).toContain("\u001b[33mwarn \u001b[0m");
  expect(logLine("rates", "no JSON \u009b", false)).toMatchObject({
    atMs: undefined,
    text: expect.stringMatching(/^rates +no JSON \\u\{9b\}$/),
  });
});
