import { expect, test } from "bun:test";
import { makeLog } from "./log.ts";

test("an event is one line of JSON, without the secrets of an address in its error", () => {
  const lines: string[] = [];
  const log = makeLog("worker", (line) => void lines.push(line));
  const error = "connect redis://ann:pa/ss@10.0.0.1:6379/0?token=t0ken: refused\nfor \u001b[2J";
  log("redis away", { error, shard: 3 });
  expect(lines).toHaveLength(1);
  const [line = ""] = lines;
  expect(line).toEndWith("}\n");
  for (const secret of ["pa/ss", "t0ken", "\u001b"]) expect(line).not.toContain(secret);
  expect(JSON.parse(line)).toMatchObject({
    ...{ role: "worker", severity: "warn", event: "redis away", shard: 3 },
    error: expect.stringContaining("connect redis://…@10.0.0.1:6379/0?token=…"),
  });
});

test("a governor's change is a warning only if it pauses", () => {
  const lines: string[] = [];
  const log = makeLog("worker", (line) => void lines.push(line));
  for (const state of ["slowed", "paused", "running"]) log("governor", { state });
  const severities = lines.map((line) => JSON.parse(line).severity);
  expect(severities).toEqual(["info", "warn", "info"]);
});
