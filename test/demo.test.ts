import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { testDir } from "./services.ts";

const CLI = join(import.meta.dir, "..", "cli", "cli.ts");
const TIMEOUT_MS = 300_000;

/** Runs the demo as a user does, in a folder under this test's. */
function startDemo(tmp: string, ...args: string[]) {
  return Bun.spawn([process.execPath, CLI, "demo", ...args], {
    // The load of other tests must not slow its workers.
    env: { ...process.env, TMPDIR: tmp, SLUICE_GOVERNOR_CPU: "off" },
    stdout: "pipe",
    stderr: "pipe",
  });
}

/** Processes with the folder on their command line or in their environment. */
function processesIn(dir: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) &&
        (
          readFileSync(`/proc/${pid}/environ`, "utf8") +
          readFileSync(`/proc/${pid}/cmdline`, "utf8")
        ).includes(`${dir}/sluice-demo-`)
      );
    } catch {
      return false; // it has exited
    }
  });
}

test(
  "the demo ends without a violation, reports that as a JSON object, and leaves nothing behind",
  async () => {
    const tmp = testDir("demo");
    const demo = startDemo(tmp, "--orders", "3000", "--seed", "11", "--protocol", "--json");
    const [out, report, code] = await Promise.all([
      new Response(demo.stdout).text(),
      new Response(demo.stderr).text(),
      demo.exited,
    ]);
    expect({ code, report }).toMatchObject({ code: 0 });
    const figures = JSON.parse(out.trim().split("\n").at(-1) ?? "") as Record<string, number> & {
      byService: object;
      byCurrency: object;
    };
    expect(Object.keys(figures.byService)).toEqual(["book-store", "warehouse-a", "warehouse-b"]);
    expect(Object.keys(figures.byCurrency)).toEqual(["EUR", "GBP", "JPY", "KWD", "USD"]);
    expect(Object.keys(figures).join()).toBe(
      "orders,accepted,decided,ledgered,sold,stock,duplicates,violations,ordersPerSecond," +
        "seconds,paid,dispatched,failed,cancelled,refunded,deadLettered,retries,byService," +
        "byCurrency",
    );
    expect(figures.paid).toBeGreaterThan(100);
    expect(figures.dispatched).toBe(figures.paid as number);
    expect(figures.cancelled).toBeGreaterThan(10);
    expect(figures.retries).toBeGreaterThan(10);
    expect(figures).toMatchObject({
      orders: 3000,
      accepted: 3000,
      decided: 3000,
      ledgered: 3000,
      violations: 0,
    });
    expect(figures.duplicates).toBeGreaterThan(100);
    expect(report).toContain("killed (SIGKILL) halfway");
    expect(report).toContain("✓ the specification allows the journal: ");
    expect(readdirSync(tmp)).toEqual([]);
    expect(processesIn(tmp)).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "an interrupted demo stops what it started and removes its folder",
  async () => {
    const tmp = testDir("demo");
    const demo = startDemo(tmp, "--orders", "100000");
    let text = "";
    for await (const bytes of demo.stdout as unknown as AsyncIterable<Uint8Array>) {
      text += new TextDecoder().decode(bytes);
      if (text.includes("answered")) break; // the rush is running
    }
    demo.kill("SIGINT");
    expect(await demo.exited).toBe(130);
    expect(readdirSync(tmp)).toEqual([]);
    expect(processesIn(tmp)).toEqual([]);
  },
  TIMEOUT_MS,
);
