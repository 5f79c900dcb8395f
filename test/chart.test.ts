// The chart, as deploy/helm/render.sh rendered it. Where Helm is installed, it is rendered again.
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Ajv from "ajv";
import { parse } from "yaml";
import { at } from "../core/domain/at.ts";
import { familiesOf } from "../core/metrics/families.ts";
import { secretVariables } from "../core/settings/secret-files.ts";
import { readSettings, type Settings } from "../core/settings/settings.ts";
import {
  type Container,
  EXAMPLES,
  HELM,
  type Item,
  itemsOf,
  ofKind,
  rendered,
  selects,
  workloads,
} from "./chart.ts";
import { testDir } from "./services.ts";

const file = (path: string): string => readFileSync(join(HELM, path), "utf8");
const helm = Bun.which("helm");

/** Where the chart's pods have their secrets, and what is there in this test. */
const MOUNT = "/run/secrets/sluice/";
const SECRETS: Readonly<Record<string, string>> = {
  redisUrl: "redis://:a@redis:6379",
  redisBoardUrl: "redis://board:b@redis:6379",
  ledgerUrl: "postgres://sluice:c@postgres/sluice",
  regionsGateway: "eu=amqps://gateway:d@eu/sluice,us=amqps://gateway:d@us/sluice",
  regionsOperator: "eu=amqps://operator:e@eu/sluice,us=amqps://operator:e@us/sluice",
  regionsWorker: "eu=amqps://worker:f@eu/sluice,us=amqps://worker:f@us/sluice",
  regionsPayments: "eu=amqps://payments:g@eu/sluice,us=amqps://payments:g@us/sluice",
  regionsRates: "eu=amqps://rates:h@eu/sluice,us=amqps://rates:h@us/sluice",
  regionsWarehouse: "eu=amqps://service-warehouse:i@eu/sluice",
  jwtSecret: "0123456789abcdef0123456789abcdef",
  providerUrl: "https://provider.example/key",
  webhookSecret: "hookword-hookword",
  ratesSource: "https://rates.example/key",
};
const mounted = testDir("chart-secrets");
for (const [name, value] of Object.entries(SECRETS)) writeFileSync(join(mounted, name), value);

/** What a role reads from its container's environment. */
function settingsOf({ env }: Container): Settings {
  const pairs = env.map(({ name, value = "a-pod" }) => [name, value.replace(MOUNT, `${mounted}/`)]);
  return readSettings(Object.fromEntries(pairs));
}

const containerOf = (workload: Item): Container => at(workload.spec.template.spec.containers, 0);

test.each(EXAMPLES)("rendered/%s.yaml is what the chart makes now", (name) => {
  const sum = Bun.spawnSync([join(HELM, "render.sh"), "--sum", name])
    .stdout.toString()
    .trim();
  const [first] = file(`rendered/${name}.yaml`).split("\n");
  expect(first).toBe(`# Made by deploy/helm/render.sh from ${sum}`);
  if (!helm) return;
  const values = join(HELM, "examples", `${name}.yaml`);
  const words = ["template", "sluice", join(HELM, "sluice"), "--namespace", "shop"];
  const made = Bun.spawnSync([helm, ...words, "--kube-version", "1.30.0", "--values", values]);
  expect(made.stderr.toString().replaceAll(/.*symbolic link.*\n/g, "")).toBe("");
  // Helm sorts the objects by kind.
  const byName = (a: Item, b: Item) =>
    `${a.kind} ${a.metadata.name}` < `${b.kind} ${b.metadata.name}` ? -1 : 1;
  expect(itemsOf(made.stdout.toString()).toSorted(byName)).toEqual(
    rendered(name).items.toSorted(byName),
  );
});

test("the schema accepts the examples and rejects what cannot work", () => {
  const valid = new Ajv({ strict: false }).compile(JSON.parse(file("sluice/values.schema.json")));
  const defaults = parse(file("sluice/values.yaml")) as Values;
  const accepts = (values: Values) => valid(merged(defaults, values));
  const rejected = EXAMPLES.filter((name) => !accepts(parse(file(`examples/${name}.yaml`))));
  expect(rejected).toEqual([]);
  const image = { repository: "r" };
  expect(accepts({ image })).toBe(true);
  const wrong: Values[] = [
    {},
    { image: { repository: "r", digest: "sha256:12" } },
    { image, settings: { sluice_shards: "2" } },
    { image, workers: { replicas: 3 } },
    { image, worker: { replicas: 0 } },
    { image, shards: 257 },
    { image, secrets: { ledgerUrl: "postgres://a:b@c/d" } },
    { image, secrets: { ledgerUrl: null } },
    { image, gateway: { regions: [] } },
    { image, autoscaling: { worker: { kind: "cron" } } },
  ];
  expect(wrong.filter(accepts)).toEqual([]);
});

describe.each(EXAMPLES)("%s", (name) => {
  const { text, items } = rendered(name);
  const roles = workloads(items);
  const trial = name === "trial";

  test("has every role, as a Deployment or with a volume of its own", () => {
    const named = roles.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort();
    const regions = trial ? ["eu"] : ["eu", "us"];
    expect(named).toEqual(
      [
        ...regions.map((region) => `Deployment sluice-gateway-${region}`),
        ...["payments", "rates", "sender", "worker"].map((role) => `Deployment sluice-${role}`),
        ...(trial ? ["provider", "warehouse"] : []).map((r) => `StatefulSet sluice-${r}`),
      ].sort(),
    );
  });

  test("every pod is without rights, on a file system it cannot write, with limits", () => {
    for (const { spec } of roles) {
      const { spec: pod } = spec.template;
      expect(pod).toMatchObject({
        enableServiceLinks: false,
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, runAsUser: 10_001 },
      });
      expect(pod.securityContext).toMatchObject({ seccompProfile: { type: "RuntimeDefault" } });
      for (const { securityContext, resources } of pod.containers) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(Object.keys(resources.requests)).toEqual(["cpu", "memory"]);
        expect(resources.limits.memory).toMatch(/^\d+[MG]i$/);
      }
    }
  });

  test("probes ask a port that the role serves; none restarts a halted worker", () => {
    for (const role of roles) {
      const { ports, startupProbe, livenessProbe, readinessProbe } = containerOf(role);
      const health = ports.some((port) => port.name === "health") ? "health" : "metrics";
      for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe])
        expect(httpGet.port).toBe(health);
      expect([startupProbe.httpGet.path, livenessProbe.httpGet.path]).toEqual([
        ...["/healthz", "/healthz"],
      ]);
      const ready = health === "health" ? "/healthz" : "/readyz";
      expect(readinessProbe.httpGet.path).toBe(ready);
      // A role that waits for its stores is given minutes.
      expect(startupProbe.failureThreshold * startupProbe.periodSeconds).toBeGreaterThan(200);
    }
  });

  test("each role accepts its settings, which fit its ports and its time to stop", () => {
    for (const role of roles) {
      const container = containerOf(role);
      const settings = settingsOf(container);
      const { terminationGracePeriodSeconds } = role.spec.template.spec;
      const noticeS = container.name === "gateway" ? settings.drainNoticeMs / 1_000 : 0;
      expect(terminationGracePeriodSeconds).toBe(noticeS + 30);
      const port = (wanted: string) =>
        container.ports.find(({ name: given }) => given === wanted)?.containerPort;
      if (container.name === "gateway") {
        expect(noticeS).toBeGreaterThan(0);
        expect([port("http"), port("metrics")]).toEqual([
          ...[settings.httpPort, settings.gatewayMetricsPort],
        ]);
        expect(role.metadata.name).toEndWith(`gateway-${settings.region}`);
      } else if (container.name !== "provider") expect(port("metrics")).toBe(settings.metricsPort);
      expect(settings.metricsHost).toBe("0.0.0.0");
    }
  });

  test("secrets are files from a Secret, and only those that the role names", () => {
    for (const role of roles) {
      const { env } = containerOf(role);
      const inline = env.filter((e) => secretVariables().includes(e.name)).map((e) => e.value);
      // Addresses without a password.
      for (const value of inline) expect(value).not.toMatch(/:\/\/[^/]*@/);
      const named = env.flatMap(({ value }) => (value?.startsWith(MOUNT) ? [value] : []));
      const sources = role.spec.template.spec.volumes.flatMap((v) => v.projected?.sources ?? []);
      const paths = sources.flatMap(({ secret }) => secret.items.map(({ path }) => MOUNT + path));
      expect(paths).toEqual(named);
    }
    expect(text).not.toMatch(/^kind: Secret$/m);
  });

  test("each role has a budget, a policy and a spread that select its pods and no others", () => {
    const budgets = ofKind(items, "PodDisruptionBudget").map(({ spec }) => spec.selector);
    const policies = ofKind(items, "NetworkPolicy").map(({ spec }) => spec.podSelector);
    for (const { kind, metadata, spec } of roles) {
      const matching = (selectors: readonly { matchLabels: Readonly<Record<string, string>> }[]) =>
        selectors.filter(({ matchLabels }) => selects(matchLabels, spec.template)).length;
      expect([metadata.name, matching([spec.selector])]).toEqual([metadata.name, 1]);
      expect([metadata.name, matching(policies)]).toEqual([metadata.name, 1]);
      const spread = spec.template.spec.topologySpreadConstraints.map((c) => c.labelSelector);
      expect([spread.length, matching(spread)]).toEqual([2, 2]);
      expect(matching(budgets)).toBe(kind === "Deployment" ? 1 : 0);
    }
    for (const { metadata, spec } of ofKind(items, "Service")) {
      const chosen = roles.filter((role) => selects(spec.selector, role.spec.template));
      expect(chosen.length).toBe(metadata.name === "sluice-metrics" ? roles.length : 1);
    }
  });

  test("an update never runs workers of two releases side by side", () => {
    const recreated = roles.filter(({ spec }) => spec.strategy?.type === "Recreate");
    expect(recreated.map(({ metadata }) => metadata.name)).toEqual(["sluice-worker"]);
  });

  test("gateways reach each other: a command in one asks all of them", () => {
    const gateways = roles.filter(({ metadata }) => metadata.name.includes("-gateway-"));
    const components = gateways.map(
      ({ spec }) => spec.template.metadata.labels["app.kubernetes.io/component"] ?? "",
    );
    for (const { spec } of ofKind(items, "NetworkPolicy")) {
      const own = spec.podSelector.matchLabels["app.kubernetes.io/component"] ?? "";
      const peers = (spec.egress ?? []).flatMap(({ ports, to }) =>
        ports.some(({ port }) => port === 8080) ? (to ?? []) : [],
      );
      const reached = peers.flatMap(
        ({ podSelector }) => podSelector?.matchExpressions?.flatMap(({ values }) => values) ?? [],
      );
      expect([own, reached]).toEqual([own, components.includes(own) ? components : []]);
    }
  });

  test("no more workers than shards, and the metric that scales them exists", () => {
    const worker = roles.find(({ metadata }) => metadata.name === "sluice-worker") as Item;
    const { shards } = settingsOf(containerOf(worker));
    const scalers = ofKind(items, "ScaledObject", "HorizontalPodAutoscaler");
    const scaler = scalers.find(({ spec }) => spec.scaleTargetRef.name === worker.metadata.name);
    expect(scaler === undefined).toBe(trial);
    if (!scaler) return expect(worker.spec.replicas).toBeLessThanOrEqual(shards);
    // A scaled Deployment names no number: each update would undo the scaler's.
    expect(worker.spec.replicas).toBeUndefined();
    expect(scaler.spec.maxReplicaCount).toBeLessThanOrEqual(shards);
    const metric = /sluice_\w+/.exec(at(scaler.spec.triggers, 0).metadata.query)?.[0];
    expect(familiesOf("worker").map((family) => family.name)).toContain(metric as string);
  });
});

test("the rules for the Prometheus Operator are the alerts", () => {
  const rules = ofKind(rendered("production").items, "PrometheusRule").map(({ spec }) => spec);
  expect(rules).toEqual([parse(file("../prometheus/alerts.yml"))]);
});

test("the chart has the product's version", async () => {
  const { version } = await Bun.file(join(HELM, "../../package.json")).json();
  const chart = parse(file("sluice/Chart.yaml")) as { version: string; appVersion: string };
  expect([chart.version, chart.appVersion]).toEqual([version, version]);
});

interface Values {
  readonly [name: string]: unknown;
}

/** Values over values, as Helm merges them: lists are replaced. */
function merged(under: Values, over: Values): Values {
  const isMap = (value: unknown): value is Values =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  const both = Object.entries(over).map(([name, value]) => {
    const below = under[name];
    return [name, isMap(value) && isMap(below) ? merged(below, value) : value];
  });
  return { ...under, ...Object.fromEntries(both) };
}
