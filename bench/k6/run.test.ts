import { expect, test } from "bun:test";
import { GrowthWatch } from "./growth.ts";
import { type K6Result, k6Command, k6Page, passed } from "./run.ts";

const ENV = { SLUICE_K6_URL: "http://127.0.0.1:8080", SLUICE_K6_TOKEN: "secret" };

test("k6 from the PATH runs the script where it is", () => {
  expect(
    k6Command({ kind: "binary", path: "/bin/k6" }, "/s/steady.ts", "/o/summary.json", ENV),
  ).toEqual({
    command: ["/bin/k6", "run", "--quiet", "--summary-export", "/o/summary.json", "/s/steady.ts"],
    env: ENV,
  });
});

test("a container gets mounted scripts and summary, and no secret on its command line", () => {
  const { command, env } = k6Command(
    { kind: "docker", path: "/bin/docker" },
    "/s/steady.ts",
    "/o/summary.json",
    ENV,
  );
  expect(command.join(" ")).toMatch(
    new RegExp(
      "^/bin/docker run --rm --network host --user \\d+ --volume /s:/scripts:ro " +
        "--volume /o:/out --env SLUICE_K6_URL --env SLUICE_K6_TOKEN grafana/k6 run --quiet " +
        "--summary-export /out/summary\\.json /scripts/steady\\.ts$",
    ),
  );
  expect(env).toEqual(ENV);
});

const RESULT: K6Result = {
  ...{ at: "2026-01-01", script: "soak", ledger: "SQLite", exitCode: 0, seconds: 300 },
  ...{ requestsPerSecond: 50, ordersPerRequest: 1, accepted: 12_000, refused: 0, unanswered: 0 },
  ...{ droppedIterations: 0, k6CpuSeconds: 6, metrics: {} },
};

function watched(...mb: number[]): GrowthWatch {
  const watch = new GrowthWatch();
  for (const one of mb)
    watch.look(
      new Map([
        ["gateway-eu", { cpuMicros: 0, rssBytes: one * 2 ** 20 }],
        ["redis", { cpuMicros: 0, rssBytes: one * 2 ** 21 }],
      ]),
    );
  return watch;
}

test("a soak passes while memory stays, and fails once the last third is a fifth larger", () => {
  const steady = { ...RESULT, growth: watched(100, 100, 130, 110, 120, 120).growths() };
  expect(steady.growth).toEqual({
    "gateway-eu": { mb: [100, 100, 130, 110, 120, 120], ratio: 1.2 },
  });
  expect(passed(steady)).toBe(true);
  expect(k6Page(steady, "here")).toContain("gateway-eu 1.20 (100 to 120 MB); steady.");
  const growing = { ...RESULT, growth: watched(100, 110, 121).growths() };
  expect(passed(growing)).toBe(false);
  expect(k6Page(growing, "here")).toContain("; **growing**.");
});

test("a soak of less than two minutes is too short to judge its memory", () => {
  const short = { ...RESULT, seconds: 119, growth: watched(100, 200, 300).growths() };
  expect(passed(short)).toBe(true);
  expect(k6Page(short, "here")).toContain("too short to judge");
});

test("a spike fails if a unit was sold twice, whatever k6 saw", () => {
  const of = (taken: number, reserved: number): K6Result => ({
    ...RESULT,
    ...{ script: "sold-out-spike", sold: { units: 100, taken, reserved } },
  });
  expect(passed(of(100, 100))).toBe(true);
  expect(k6Page(of(100, 100), "here")).toContain("100 taken by 100 orders; nothing oversold.");
  expect(passed(of(101, 101))).toBe(false);
  expect(passed(of(100, 101))).toBe(false);
  expect(k6Page(of(100, 101), "here")).toContain("**oversold**");
});

test("a threshold that k6 saw broken fails the run", () => {
  expect(passed({ ...RESULT, exitCode: 99 })).toBe(false);
});
