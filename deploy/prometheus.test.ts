// Prometheus's own tool checks the rules and the configuration, and a real Prometheus scrapes a
// real role.
import { afterAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { at } from "../core/domain/at.ts";
import { familiesOf } from "../core/metrics/families.ts";
import { STORES } from "../core/metrics/stock.ts";
import { freePorts } from "../services/ports.ts";
import { spawnRecorded } from "../services/processes.ts";
import { testDir } from "../test/services.ts";
import { Stack } from "../test/stack.ts";

const dir = join(import.meta.dir, "prometheus");
const after: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const end of after.reverse()) await end();
});

async function promtool(...args: string[]): Promise<{ code: number; text: string }> {
  const child = Bun.spawn(["promtool", ...args], { cwd: dir, stdout: "pipe", stderr: "pipe" });
  const text =
    (await new Response(child.stdout).text()) + (await new Response(child.stderr).text());
  return { code: await child.exited, text };
}

test.each([
  ["check", "config", "prometheus.yml"],
  ["check", "rules", "alerts.yml"],
  ["test", "rules", "alerts.test.yml"],
])(
  "promtool %s %s %s",
  async (verb, what, file) => {
    const { code, text } = await promtool(verb, what, file);
    expect(text).toContain("SUCCESS");
    expect(code).toBe(0);
  },
  30_000,
);

test("each alert has a section in docs/operations.md, where its annotation points", () => {
  const rules = readFileSync(join(dir, "alerts.yml"), "utf8");
  const anchors = [...rules.matchAll(/runbook: "docs\/operations\.md#(\w+)"/g)].map((m) => m[1]);
  const alerts = [...rules.matchAll(/alert: (\w+)/g)].map((m) => at(m, 1).toLowerCase());
  const sections = [
    ...readFileSync(join(import.meta.dir, "..", "docs", "operations.md"), "utf8").matchAll(
      /^### (\w+)$/gm,
    ),
  ].map((m) => at(m, 1).toLowerCase());
  expect(anchors).toEqual(alerts);
  expect(alerts.filter((alert) => !sections.includes(alert))).toEqual([]);
});

test("each alert fires in time, and not a moment earlier", () => {
  const rules = parse(readFileSync(join(dir, "alerts.yml"), "utf8")) as {
    groups: { rules: { alert: string }[] }[];
  };
  type Case = { alertname: string; exp_alerts: unknown[] };
  const { tests } = parse(readFileSync(join(dir, "alerts.test.yml"), "utf8")) as {
    tests: { alert_rule_test: Case[] }[];
  };
  const cases = tests.flatMap((t) => t.alert_rule_test);
  const fires = new Set(cases.filter((c) => c.exp_alerts.length > 0).map((c) => c.alertname));
  expect(
    rules.groups.flatMap((g) => g.rules.map((r) => r.alert)).filter((alert) => !fires.has(alert)),
  ).toEqual([]);
});

interface Dashboard {
  readonly templating: { readonly list: { readonly name: string; readonly definition: string }[] };
  readonly panels: { readonly title: string; readonly targets?: { readonly expr: string }[] }[];
}
const dashboardFile = join(import.meta.dir, "grafana", "dashboards", "sluice.json");
const dashboard = (await Bun.file(dashboardFile).json()) as Dashboard;
const exprs = dashboard.panels.flatMap((panel) => (panel.targets ?? []).map(({ expr }) => expr));

test("every panel of the dashboard is PromQL", async () => {
  const rules = exprs.map((expr, i) => ({
    record: `panel:${i}`,
    expr: expr.replaceAll(/\$(region|sale)/g, ".*"),
  }));
  const file = join(testDir("dashboard"), "rules.yml");
  await Bun.write(file, JSON.stringify({ groups: [{ name: "panels", rules }] }));
  const { code, text } = await promtool("check", "rules", file);
  expect(text).toContain(`SUCCESS: ${exprs.length} rules found`);
  expect(code).toBe(0);
});

test("alerts and panels use no metric that no role reports", () => {
  const kinds = ["gateway", "worker", "payments", "fulfil", "rates", "sender"] as const;
  const families = [...kinds.flatMap((kind) => [...familiesOf(kind)]), ...STORES];
  const reported = new Set(families.map(({ name }) => name));
  const used = [...exprs.join(" "), readFileSync(join(dir, "alerts.yml"), "utf8")]
    .join("")
    .matchAll(/\bsluice_[a-z_]+/g);
  const unknown = [...used]
    .map(([name]) => name.replace(/_(bucket|sum|count)$/, ""))
    .filter((name) => !reported.has(name));
  expect([...new Set(unknown)]).toEqual([]);
});

test("the dashboard is for the chosen regions and sales; a unit in stock is counted once", () => {
  expect(dashboard.templating.list.map(({ name }) => name)).toEqual(["region", "sale"]);
  const stock = exprs.filter((expr) => expr.includes("sluice_stock_units"));
  expect(stock.length).toBeGreaterThan(2);
  // Every gateway shows the same stock.
  expect(stock.filter((e) => !e.includes('sale=~"$sale"') || !e.startsWith("max by"))).toEqual([]);
  const byRegion =
    /sluice_(orders_accepted|orders_refused|confirm|queue|broker|dead_letters|admission)\w*(?!\{)/;
  const whole = exprs.filter((expr) => byRegion.test(expr) && !expr.includes('region=~"$region"'));
  expect(whole).toEqual([]);
});

test("an alert about one process names it by its id; one about a broker fires once", () => {
  const { groups } = parse(readFileSync(join(dir, "alerts.yml"), "utf8")) as {
    groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  const unnamed = rules.filter(
    ({ annotations: { summary } }) =>
      summary.includes("$labels.instance") && !summary.includes("with $labels.id"),
  );
  expect(unnamed.map(({ alert }) => alert)).toEqual([]);
  // Of one process that is cut off: it is named, so it is that process's own alert.
  const brokers = rules.filter(
    ({ alert, expr }) =>
      /sluice_(broker|gateway_publishes)/.test(expr) && alert !== "SluiceStoreUnreachable",
  );
  expect(brokers.map(({ alert }) => alert)).toEqual([
    "SluiceBrokerAway",
    "SluiceBrokerBlocked",
    "SluicePublishesElsewhere",
  ]);
  for (const { expr } of brokers) expect(expr).toMatch(/^(count|max) by \(region\)/);
});

test("a real Prometheus scrapes a worker's metrics; /readyz names what is missing", async () => {
  const [metricsPort, prometheusPort] = await freePorts(2);
  const stack = await Stack.start({ env: { SLUICE_METRICS_PORT: String(metricsPort) } });
  after.push(() => stack.stop());
  await stack.sale({ a: 5 });
  const { worker } = await stack.worker("one");
  await stack.until("it to hold its shards", () => worker.shards.length === 2);
  const readyz = async () => fetch(`http://127.0.0.1:${metricsPort}/readyz`);
  expect((await readyz()).status).toBe(200);
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const lint = Bun.spawn(["promtool", "check", "metrics"], {
    stdin: new Blob([metrics]),
    stdout: "pipe",
    stderr: "pipe",
  });
  expect((await new Response(lint.stderr).text()).trim()).toBe("");
  const home = testDir("prometheus", 0o755);
  const target = `127.0.0.1:${metricsPort}`;
  const config =
    `global: { scrape_interval: 200ms }\nrule_files: [${join(dir, "alerts.yml")}]\n` +
    `scrape_configs:\n  - job_name: sluice\n    static_configs: [{ targets: ["${target}"] }]\n`;
  await Bun.write(join(home, "prometheus.yml"), config);
  const flags = [
    `--config.file=${home}/prometheus.yml`,
    `--storage.tsdb.path=${home}/data`,
    `--web.listen-address=127.0.0.1:${prometheusPort}`,
  ];
  const prometheus = spawnRecorded({
    name: "prometheus",
    command: ["prometheus", ...flags],
    recordDir: testDir("prometheus-run"),
    logFile: join(home, "log"),
  });
  after.push(() => prometheus.stop());
  const query = async (text: string) => {
    const response = await fetch(
      `http://127.0.0.1:${prometheusPort}/api/v1/query?query=${encodeURIComponent(text)}`,
    ).catch(() => undefined);
    const body = (await response?.json().catch(() => undefined)) as
      | { data?: { result: { value: [number, string] }[] } }
      | undefined;
    return body?.data?.result.map((r) => Number(r.value[1])) ?? [];
  };
  await stack.until(
    "the scrape to be there",
    async () => (await query("sum(sluice_shard_owned)"))[0] === 2,
  );
  expect(await query("up")).toEqual([1]);
  expect(await query("sluice_worker_up")).toEqual([1]);
  const rules = (await (await fetch(`http://127.0.0.1:${prometheusPort}/api/v1/rules`)).json()) as {
    data: { groups: { rules: unknown[] }[] };
  };
  expect(rules.data.groups[0]?.rules.length).toBeGreaterThan(10);
  await stack.redis.kill();
  await stack.until("it to be not ready", async () => (await readyz()).status === 503);
  expect((await (await readyz()).json()) as object).toMatchObject({
    ok: false,
    missing: expect.arrayContaining(["redis"]),
  });
}, 120_000);
