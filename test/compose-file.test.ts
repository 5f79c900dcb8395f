// What docker-compose.yml and the Dockerfile contain. deploy.test.ts runs it.
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { accountsOf } from "../broker/accounts.ts";
import { secretVariables } from "../core/settings/secret-files.ts";
import { readSettings } from "../core/settings/settings.ts";
import { interpolate, milliseconds, readCompose, rolesOf, type Service } from "./compose.ts";
import { buildImage, copied, ignores, readStages } from "./image.ts";
import { testDir } from "./services.ts";

const ROOT = join(import.meta.dir, "..");
const fileText = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const TEXT = fileText("docker-compose.yml");
const compose = readCompose(TEXT, {});
const serviceOf = (name: string): Service => compose.services[name] as Service;
const ROLES = rolesOf(compose);
const ALL = Object.keys(compose.services);
const STORES = ["redis", "rabbitmq-eu", "rabbitmq-us", "postgres"];
/** What a role needs besides the brokers, if not Redis and the ledger. */
const STORES_OF: Readonly<Record<string, readonly string[]>> = {
  payments: ["redis", "provider"],
  rates: ["redis"],
  warehouse: ["redis"],
};
/** Each role's file with its user at the brokers. */
const USER_OF: Readonly<Record<string, string>> = {
  "gateway-eu": "gateway",
  "gateway-us": "gateway",
  "worker-1": "worker",
  "worker-2": "worker",
  payments: "payments",
  rates: "rates",
  warehouse: "warehouse",
};
interface Definitions {
  readonly vhosts: readonly { readonly name: string }[];
  readonly users: readonly { readonly name: string; readonly password: string }[];
  readonly permissions: readonly { readonly user: string }[];
}

/** The secrets as they are made for a new installation. */
const made = join(testDir("compose-secrets"), "secrets");
const making = Bun.spawnSync([join(ROOT, "deploy/compose/secrets.sh"), made]);
const secret = (name: string): string => readFileSync(join(made, name), "utf8");
/** A service's environment, its secrets where they are made. */
const environmentOf = (name: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(serviceOf(name).environment).map(([variable, value]) => [
      variable,
      value.replace("/run/secrets", made),
    ]),
  );

describe("deploy/compose/secrets.sh", () => {
  test("makes every secret that the file mounts, and no other, for its user alone", () => {
    expect([making.exitCode, making.stdout.toString()]).toEqual([0, ""]);
    const mounted = Object.entries(compose.secrets);
    expect(readdirSync(made).sort()).toEqual(mounted.map(([name]) => name).sort());
    for (const [name, { file }] of mounted) expect(file).toBe(`./deploy/compose/secrets/${name}`);
    const folder = Bun.spawnSync(["stat", "-c", "%a", made]).stdout.toString().trim();
    expect(folder).toBe("700");
    for (const name of readdirSync(made)) expect(secret(name)).not.toMatch(/@[A-Z]+@/);
  });

  test("never replaces secrets, and makes others for another installation", () => {
    const before = secret("postgres-password");
    const again = Bun.spawnSync([join(ROOT, "deploy/compose/secrets.sh"), made]);
    expect(again.exitCode).toBe(1);
    expect(again.stderr.toString()).toContain("exists already and stays as it is");
    expect(secret("postgres-password")).toBe(before);
    const other = join(testDir("compose-secrets"), "secrets");
    Bun.spawnSync([join(ROOT, "deploy/compose/secrets.sh"), other]);
    expect(readFileSync(join(other, "postgres-password"), "utf8")).not.toBe(before);
  });

  test("the stores know the roles' passwords", () => {
    expect(secret("redis-url")).toBe(`redis://:${secret("redis-password")}@redis:6379`);
    expect(secret("redis.acl")).toContain(`user default on >${secret("redis-password")} `);
    const board = /^redis:\/\/board:(\w+)@redis:6379$/.exec(secret("redis-board-url"))?.[1];
    expect(secret("redis.acl")).toContain(`user board on >${board} `);
    const { POSTGRES_USER, POSTGRES_DB } = serviceOf("postgres").environment;
    expect(secret("ledger-url")).toBe(
      `postgres://${POSTGRES_USER}:${secret("postgres-password")}@postgres:5432/${POSTGRES_DB}`,
    );
  });

  test("each role has its own user at the brokers, with its role's permissions", () => {
    const { vhosts, users, permissions } = JSON.parse(
      secret("rabbitmq-definitions.json"),
    ) as Definitions;
    expect(vhosts).toEqual([{ name: "sluice" }]);
    const own = accountsOf(["warehouse"]).map((account) => ({ ...account, vhost: "sluice" }));
    const byUser = (a: { user: string }, b: { user: string }) => (a.user < b.user ? -1 : 1);
    expect(permissions.toSorted(byUser)).toEqual(own.toSorted(byUser));
    expect(new Set(users.map(({ password }) => password)).size).toBe(own.length);
    for (const [name, file] of Object.entries(USER_OF)) {
      const user = file === "warehouse" ? "service-warehouse" : file;
      const password = users.find((u) => u.name === user)?.password;
      const { regions } = readSettings(environmentOf(name));
      expect(regions.map(({ url }) => url)).toEqual(
        ["eu", "us"].map((r) => `amqp://${user}:${password}@rabbitmq-${r}:5672/sluice`),
      );
    }
  });
});

describe("docker-compose.yml", () => {
  test("has every role, and their stores", () => {
    expect(ROLES).toEqual([
      ...["gateway-eu", "gateway-us", "worker-1", "worker-2"],
      ...["payments", "rates", "sender", "warehouse", "provider"],
    ]);
    expect(ALL.slice(ROLES.length)).toEqual([...STORES, "prometheus", "grafana"]);
    // One service builds the image: several builds that export one name at once fail.
    expect(ALL.filter((name) => serviceOf(name).build)).toEqual(["gateway-eu"]);
    for (const name of ROLES) expect(serviceOf(name).image).toMatch(/:\d+\.\d+\.\d+$/);
    for (const name of ALL.slice(ROLES.length))
      expect(serviceOf(name).image).toMatch(/:v?\d+\.\d+(\.\d+)?@sha256:[0-9a-f]{64}$/);
  });

  test("contains no password, not even a default", () => {
    const values = ALL.flatMap((name) => Object.entries(serviceOf(name).environment));
    const named = values.filter(([name]) => /PASSWORD|SECRET|_URL|REGIONS/.test(name));
    const inline = named.filter(
      ([name]) => !name.endsWith("_FILE") && !/(PROVIDER|GRAFANA)_URL/.test(name),
    );
    expect(inline).toEqual([]);
    expect(TEXT).not.toMatch(/:\/\/[^\s/]*:[^\s/]*@/);
  });

  test.each(ROLES)("%s gets only settings and a region that exist", (name) => {
    const settings = readSettings(environmentOf(name));
    const regions = ["provider", "sender"].includes(name) ? [] : ["eu", "us"];
    expect(settings.regions.map((region) => region.name)).toEqual(regions);
    expect(["", ...settings.regions.map((region) => region.name)]).toContain(settings.region);
  });

  test.each(ROLES)("%s mounts the secrets that its settings name, and no others", (name) => {
    const paths = Object.entries(serviceOf(name).environment)
      .filter(([variable]) => secretVariables().includes(variable.replace(/_FILE$/, "")))
      .flatMap(([, value]) => /^\/run\/secrets\/(.*)/.exec(value)?.[1] ?? []);
    expect([...serviceOf(name).secrets].sort()).toEqual(paths.sort());
  });

  test.each(ROLES)("%s starts when everything it needs is healthy", (name) => {
    const needs = Object.keys(serviceOf(name).depends_on).sort();
    if (name === "provider") return expect(needs).toEqual([]);
    if (name === "sender") return expect(needs).toEqual(["postgres", "redis"]);
    const { region } = readSettings(environmentOf(name));
    const stores = STORES_OF[name] ?? ["postgres", "redis"];
    const brokers = region === "" ? ["rabbitmq-eu", "rabbitmq-us"] : [`rabbitmq-${region}`];
    expect(needs).toEqual([...stores, ...brokers].sort());
  });

  test("whatever is waited for has a health check, and shares a network with who waits", () => {
    for (const name of ALL)
      for (const [needed, { condition }] of Object.entries(serviceOf(name).depends_on)) {
        expect(condition).toBe("service_healthy");
        expect(serviceOf(needed).healthcheck).toBeDefined();
        const shared = serviceOf(needed).networks.filter((net) =>
          serviceOf(name).networks.includes(net),
        );
        expect([name, needed, shared.length]).toEqual([name, needed, 1]);
      }
  });

  test("only roles that may go out are on a network with a way out", () => {
    const open = (name: string) => !compose.networks[name]?.internal;
    const out = ALL.filter((name) => serviceOf(name).networks.some(open));
    expect(out).toEqual([
      ...["gateway-eu", "gateway-us", "payments", "rates", "sender", "provider"],
      ...["prometheus", "grafana"],
    ]);
    for (const name of ALL)
      for (const net of serviceOf(name).networks)
        expect(Object.keys(compose.networks)).toContain(net);
    // Services that have the ledger's password are those that reach it.
    const reach = ALL.filter((name) => serviceOf(name).networks.includes("ledger"));
    expect(reach.filter((name) => serviceOf(name).secrets.includes("ledger-url"))).toEqual(
      reach.filter((name) => name !== "postgres"),
    );
  });

  test("every container has limits, restarts, and cannot gain rights", () => {
    for (const name of ALL) {
      const { deploy, restart, security_opt } = serviceOf(name);
      const limits = deploy?.resources.limits;
      expect([name, Number(limits?.cpus) > 0, (limits?.pids ?? 0) > 0]).toEqual([name, true, true]);
      expect(limits?.memory).toMatch(/^\d+[MG]$/);
      expect([name, restart]).toEqual([name, "unless-stopped"]);
      expect(security_opt).toEqual(["no-new-privileges:true"]);
    }
  });

  test.each(ROLES)("%s runs on a read-only file system, without capabilities", (name) => {
    const service = serviceOf(name);
    expect([service.read_only, service.cap_drop, service.user]).toEqual([true, ["ALL"], undefined]);
    expect(service.tmpfs).toEqual(["/tmp:size=64m,mode=1777"]);
    expect(service.ulimits?.nofile?.soft).toBe(65_536);
    // Secrets that are not files cannot be mounted there.
    expect(Object.values(compose.secrets).filter(({ file }) => !file)).toEqual([]);
    const { drainNoticeMs } = readSettings(environmentOf(name));
    expect(milliseconds(service.stop_grace_period)).toBeGreaterThan(20_000 + drainNoticeMs);
  });

  test("only gateways and, on request, the monitoring are published, on loopback", () => {
    const published = ALL.flatMap((name) => serviceOf(name).ports.map((port) => [name, port]));
    expect(published).toEqual([
      ["gateway-eu", "127.0.0.1:8080:8080"],
      ["gateway-us", "127.0.0.1:8081:8080"],
      ["prometheus", "127.0.0.1:9090:9090"],
      ["grafana", "127.0.0.1:3000:3000"],
    ]);
    expect(ALL.filter((name) => serviceOf(name).profiles)).toEqual(["prometheus", "grafana"]);
    const { httpHost, httpPort } = readSettings(environmentOf("gateway-eu"));
    expect([httpHost, httpPort]).toEqual(["0.0.0.0", 8_080]);
  });

  test("each store keeps its data in its own volume; mounted files exist", () => {
    const mounts = ALL.flatMap((name) =>
      serviceOf(name).volumes.map((volume) => volume.split(":") as [string, string]),
    );
    const files = mounts.filter(([source]) => source.startsWith("./"));
    expect(files.filter(([source]) => !existsSync(join(ROOT, source)))).toEqual([]);
    const named = mounts.filter(([source]) => !source.startsWith("./")).map(([source]) => source);
    expect(named).toEqual(Object.keys(compose.volumes));
    expect(named).toEqual([...STORES, "prometheus"]);
  });

  test("a broker's data outlives its container; its health check does not run as root", () => {
    for (const name of ["rabbitmq-eu", "rabbitmq-us"])
      expect([serviceOf(name).hostname, serviceOf(name).user]).toEqual([name, "rabbitmq"]);
  });

  test("Prometheus finds every role that has metrics, by its name", () => {
    const targets = JSON.parse(fileText("deploy/prometheus-compose/targets.json")) as {
      targets: string[];
      labels: { id: string };
    }[];
    const roles = ROLES.filter((name) => serviceOf(name).networks.includes("metrics"));
    expect(targets.map(({ labels }) => labels.id).sort()).toEqual([...roles].sort());
    for (const { targets: addresses, labels } of targets) {
      const { metricsPort, gatewayMetricsPort } = readSettings(environmentOf(labels.id));
      const port = labels.id.startsWith("gateway") ? gatewayMetricsPort : metricsPort;
      expect(addresses).toEqual([`${labels.id}:${port}`]);
    }
  });

  test("a variable without a default or a message is rejected", () => {
    const variable = (inside: string) => `$\{${inside}}`;
    expect(interpolate(variable("A:-b") + variable("C:-d"), { A: "a" })).toBe("ad");
    expect(() => interpolate(variable("A"), {})).toThrow("neither a default nor a message");
    expect(() => interpolate("a$b", {})).toThrow("starts no variable");
  });

  test("the commands in docs/howto/compose.md name services that exist", () => {
    const named = [
      ...fileText("docs/howto/compose.md").matchAll(
        /docker compose (?:exec|logs|kill)(?: -e \S+| -T| --[a-z]+)* (\w[\w-]*)/g,
      ),
    ];
    expect(named.length).toBeGreaterThan(3);
    for (const [, name] of named) expect(ALL).toContain(name as string);
  });
});

describe("Dockerfile", () => {
  const stages = readStages(fileText("Dockerfile"));
  const ignore = fileText(".dockerignore");

  test("copies files that exist and that .dockerignore does not exclude", () => {
    const sources = stages
      .flat()
      .flatMap((i) => (i.word === "COPY" ? (copied(i)?.sources ?? []) : []));
    expect(sources).toContain("core");
    expect(sources.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    expect(sources.filter((path) => ignores(ignore, path))).toEqual([]);
  });

  test(".dockerignore excludes secrets, data and tests; the last matching line decides", () => {
    const out = [
      ".env",
      ".env.local",
      ".git/config",
      ".sluice/jwt-secret",
      "node_modules/bun/x",
      "core/keys.test.ts",
      "cli/a.log",
    ];
    expect(out.filter((path) => !ignores(ignore, path))).toEqual([]);
    expect(ignores("core\n!core/stores/keys.ts", "core/stores/keys.ts")).toBe(false);
    expect(ignores("core\n!core/stores/keys.ts", "core/domain/shard.ts")).toBe(true);
    expect(ignores("# core\n*.ts", "core/domain/shard.ts")).toBe(false);
  });

  test("pins its base images by digest, and runs without root", () => {
    for (const [from] of stages)
      expect(from?.rest).toMatch(/^[a-z]+:[\w.-]*\d[\w.]*-[\w-]*slim@sha256:[0-9a-f]{64}( AS |$)/);
    const last = (word: string) =>
      stages.at(-1)?.flatMap((i) => (i.word === word ? [i.rest] : [])) ?? [];
    expect(last("USER")).toEqual(["10001"]);
    expect(last("STOPSIGNAL")).toEqual(["SIGTERM"]);
  });

  test("has every file that the product can load, and production packages only", async () => {
    const image = buildImage(ROOT, testDir("image-files"));
    const entrypoints = ["cli/cli.ts", "deploy/health.ts"].map((path) => join(image.dir, path));
    // Only developers' commands load these, when they are called.
    const external = ["@informalsystems/quint", "bullmq", "pg-boss"];
    const options = { entrypoints, external, target: "bun", throw: false } as const;
    const { success, logs } = await Bun.build(options);
    expect(logs.map(({ message }) => message)).toEqual([]);
    expect(success).toBe(true);
    expect(existsSync(join(image.dir, "node_modules/typescript"))).toBe(false);
  });
});
