// The dashboard against a Prometheus that scrapes a whole installation while orders arrive: no
// panel stays empty. `./sluice test dashboard`
import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freePorts } from "../services/ports.ts";
import { spawnRecorded } from "../services/processes.ts";
import { endUps, told, up } from "../test/running-up.ts";
import { testDir } from "../test/services.ts";
import { until } from "../test/until.ts";

const TIMEOUT_MS = 300_000;
const ORDER_EVERY_MS = 1_000;
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await endUps();
}, TIMEOUT_MS);

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}
const file = join(import.meta.dir, "grafana", "dashboards", "sluice.json");
const { panels } = JSON.parse(readFileSync(file, "utf8")) as Dashboard;
/** As Grafana asks when every region and sale is chosen. */
const QUERIES = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => ({ title, expr: expr.replaceAll(/\$(region|sale)\b/g, ".*") })),
);

/** A Prometheus with the product's own configuration; returns its address. */
async function prometheus(data: string): Promise<string> {
  const [port] = await freePorts(1);
  const home = testDir("prometheus", 0o755);
  const own = join(import.meta.dir, "prometheus");
  const config = readFileSync(join(own, "prometheus.yml"), "utf8")
    .replace("alerts.yml", join(own, "alerts.yml"))
    .replace("../../.sluice", data);
  expect(config).toContain(`${data}/prometheus/*.json`);
  await Bun.write(join(home, "prometheus.yml"), config);
  const child = spawnRecorded({
    name: "prometheus",
    command: [
      "prometheus",
      `--config.file=${home}/prometheus.yml`,
      `--storage.tsdb.path=${home}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    recordDir: testDir("prometheus-run"),
    logFile: join(home, "log"),
  });
  ends.push(() => child.stop());
  return `http://127.0.0.1:${port}`;
}

async function series(prometheusUrl: string, expr: string): Promise<number> {
  const url = `${prometheusUrl}/api/v1/query?query=${encodeURIComponent(expr)}`;
  const response = await fetch(url).catch(() => undefined);
  const body = (await response?.json().catch(() => undefined)) as
    | { data?: { result: unknown[] } }
    | undefined;
  return body?.data?.result.length ?? 0;
}

test.skipIf(Bun.which("prometheus") === null)(
  "no panel stays empty while orders are placed, refused, paid and shipped",
  async () => {
    const dir = testDir("dashboard-up");
    const { gateways } = await up(dir, {}, "--http-port", "0");
    const prometheusUrl = await prometheus(dir);
    const bearer = await told(dir, "token", "--user", "ann");
    const place = (lines: object[]) =>
      fetch(`${gateways.eu}/v1/orders`, {
        method: "POST",
        headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
        body: JSON.stringify({ id: Bun.randomUUIDv7(), saleId: "demo", currency: "EUR", lines }),
      });
    expect((await place([{ sku: "lamp", qty: 1 }])).status).toBe(202);
    let empty: string[] = [];
    await until(
      "every panel has data",
      async () => {
        // Once the lamps are sold out, the rate of what was accepted stays for a minute.
        await place([{ sku: "lamp", qty: 1 }]);
        await place([{ sku: "nothing", qty: 1 }]);
        await realRuntime.sleep(ORDER_EVERY_MS);
        const counts = await Promise.all(QUERIES.map(({ expr }) => series(prometheusUrl, expr)));
        empty = QUERIES.filter((_, i) => counts[i] === 0).map(
          ({ title, expr }) => `${title}: ${expr}`,
        );
        return empty.length === 0;
      },
      120_000,
    ).catch((error: unknown) => {
      throw new Error(`no data: ${empty.join("\n")}`, { cause: error });
    });
  },
  TIMEOUT_MS,
);
