import { expect, test } from "bun:test";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import { ProviderHealth } from "./provider-health.ts";

function make() {
  const runtime = new VirtualRuntime();
  const lines: unknown[] = [];
  const health = new ProviderHealth(runtime, (event, { error, failures }) =>
    lines.push([event, error, failures]),
  );
  const fail = (why: string, passMs: number) => {
    health.failed(why);
    runtime.pass(passMs);
  };
  return { runtime, health, lines, fail };
}

test("a row of failures has its length, first and last time, and cause; an answer ends it", () => {
  const { runtime, health, fail } = make();
  expect(health.failing).toBeUndefined();
  const sinceMs = runtime.wallMs();
  fail("no answer in time", 1_000);
  fail("refused", 1_000);
  expect(health.failing).toEqual({
    ...{ sinceMs, lastMs: sinceMs + 1_000, failures: 2, why: "refused" },
  });
  health.succeeded();
  expect(health.failing).toBeUndefined();
});

test("each cause is logged at once, then every 30 s with its number", () => {
  const { lines, fail } = make();
  for (let i = 0; i < 61; i++) fail("refused", 1_000);
  fail("no answer in time", 0);
  expect(lines).toEqual([
    ["provider fails", "refused", 1],
    ["provider fails", "refused", 30],
    ["provider fails", "refused", 30],
    ["provider fails", "no answer in time", 1],
  ]);
});

test("causes that the provider words are bounded, and show no password of an address", () => {
  const { lines, fail } = make();
  for (let i = 0; i < 100; i++) fail(`the provider answers 200: its content type is 'x${i}'`, 0);
  expect(lines).toHaveLength(17);
  const { lines: others, health } = make();
  health.failed("unable to connect to http://ann:hunter2@pay.internal/v1/charges");
  expect(JSON.stringify([others, health.failing])).not.toContain("hunter2");
});

test("the end of a row of some seconds is logged; that of a passing failure is not", () => {
  const { lines, health, fail } = make();
  fail("refused", 1_000);
  health.succeeded();
  for (let i = 0; i < 5; i++) fail("refused", 1_000);
  health.succeeded();
  expect(lines.filter((line) => String(line).startsWith("provider answers"))).toEqual([
    ["provider answers", undefined, 5],
  ]);
});
