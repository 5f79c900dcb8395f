// docker-compose.yml and the Dockerfile without a container engine: reads both, and runs the roles
// from the image's folder with the commands, environment, health checks and stop signals they
// contain. Only addresses and a broker's account are replaced.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { accountsOf } from "../broker/accounts.ts";
import { at } from "../core/domain/at.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { readSettings } from "../core/settings/settings.ts";
import { Members } from "../core/stores/members.ts";
import { RedisStore } from "../core/stores/redis.ts";
import { freePorts } from "../services/ports.ts";
import { type PrivateRabbit, startRabbit } from "../services/rabbitmq.ts";
import { type Compose, interpolate, milliseconds, readCompose, type Service } from "./compose.ts";
import { buildImage, copied, type Image, ignores, readStages } from "./image.ts";
import { freshDatabase, testDir } from "./services.ts";

const ROOT = join(import.meta.dir, "..");
const fileText = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const TIMEOUT_MS = 180_000;
// A role takes seconds to start on a busy machine.
setDefaultTimeout(TIMEOUT_MS);
/** Shorter than the interval in docker-compose.yml, which spares a machine in use. */
const CHECK_PAUSE_MS = 200;
const TEXT = fileText("docker-compose.yml");
const SECRETS = {
  SLUICE_JWT_SECRET: "0123456789abcdef0123456789abcdef",
  REDIS_PASSWORD: "redisword",
  RABBITMQ_GATEWAY_PASSWORD: "gatewayword",
  POSTGRES_PASSWORD: "postgresword",
  REDIS_BOARD_PASSWORD: "boardword",
  SLUICE_WEBHOOK_SECRET: "hookword-hookword",
};
const compose: Compose = readCompose(TEXT, SECRETS);
const serviceOf = (name: string): Service => compose.services[name] as Service;
/** Services built from this repository. */
const ROLES = Object.keys(compose.services).filter((name) => serviceOf(name).build !== undefined);
/** The other services a role needs besides the brokers, if not Redis and the ledger. */
const STORES_OF: Readonly<Record<string, readonly string[]>> = {
  payments: ["redis", "provider"],
  rates: ["redis"],
  warehouse: ["redis"],
};
/** Each role's user at the brokers. */
const USER_OF: Readonly<Record<string, string>> = {
  "gateway-eu": "gateway",
  "gateway-us": "gateway",
  "worker-1": "worker",
  "worker-2": "worker",
  payments: "payments",
  rates: "rates",
  warehouse: "service-warehouse",
};
interface Definitions {
  readonly vhosts: readonly { readonly name: string }[];
  readonly users: readonly { readonly name: string; readonly password: string }[];
  readonly permissions: readonly { readonly user: string }[];
}
const STORES = Object.keys(compose.services).filter((name) => serviceOf(name).build === undefined);

describe("docker-compose.yml", () => {
  test("has two gateways, two workers, payment workers, and their stores", () => {
    expect(ROLES).toEqual([
      "gateway-eu",
      "gateway-us",
      "worker-1",
      "worker-2",
      "payments",
      "rates",
      "warehouse",
      "provider",
    ]);
    expect(STORES.map((name) => serviceOf(name).image)).toEqual([
      "redis:7",
      "rabbitmq:4",
      "rabbitmq:4",
      "postgres:17",
    ]);
  });

  test("contains no secret: the one for tokens must be supplied", () => {
    const { SLUICE_JWT_SECRET, ...others } = SECRETS;
    expect(() => readCompose(TEXT, others)).toThrow("SLUICE_JWT_SECRET is missing a value: set it");
    expect(
      readCompose(TEXT, { SLUICE_JWT_SECRET }).services.postgres?.environment.POSTGRES_PASSWORD,
    ).toBe("sluice");
  });

  test.each(ROLES)("%s gets only settings and a region that exist", (name) => {
    const settings = readSettings(serviceOf(name).environment);
    // A provider has no access to the brokers.
    const regions = name === "provider" ? [] : ["eu", "us"];
    expect(settings.regions.map((region) => region.name)).toEqual(regions);
    expect(["", ...settings.regions.map((region) => region.name)]).toContain(settings.region);
  });

  test("roles get the names, accounts and passwords that their stores are given", () => {
    const { redisUrl, ledgerUrl } = readSettings(serviceOf("worker-1").environment);
    const [redis, postgres] = [serviceOf("redis"), serviceOf("postgres").environment];
    expect(redisUrl).toBe(`redis://:${redis.environment.REDISCLI_AUTH}@redis:6379`);
    expect(redis.command.slice(-2)).toEqual(["--requirepass", SECRETS.REDIS_PASSWORD]);
    const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = postgres;
    expect(ledgerUrl).toBe(
      `postgres://${POSTGRES_USER}:${POSTGRES_PASSWORD}@postgres:5432/${POSTGRES_DB}`,
    );
    expect([redis.environment.REDISCLI_AUTH, POSTGRES_PASSWORD]).toEqual([
      SECRETS.REDIS_PASSWORD,
      SECRETS.POSTGRES_PASSWORD,
    ]);
  });

  test("each role has its own user at the brokers, with its role's permissions", () => {
    const content = compose.configs["rabbitmq-definitions"]?.content ?? "";
    const { vhosts, users, permissions } = JSON.parse(content) as Definitions;
    expect(vhosts).toEqual([{ name: "sluice" }]);
    const own = accountsOf(["warehouse"]).map((account) => ({ ...account, vhost: "sluice" }));
    const byUser = (a: { user: string }, b: { user: string }) => (a.user < b.user ? -1 : 1);
    expect(permissions.toSorted(byUser)).toEqual(own.toSorted(byUser));
    expect(users.find(({ name }) => name === "gateway")?.password).toBe(
      SECRETS.RABBITMQ_GATEWAY_PASSWORD,
    );
    for (const [name, user] of Object.entries(USER_OF)) {
      const password = users.find((u) => u.name === user)?.password;
      const { regions } = readSettings(serviceOf(name).environment);
      expect(regions.map(({ url }) => url)).toEqual(
        ["eu", "us"].map((r) => `amqp://${user}:${password}@rabbitmq-${r}:5672/sluice`),
      );
    }
  });

  test.each(ROLES)("%s starts when everything it needs is healthy", (name) => {
    if (name === "provider") return expect(serviceOf(name).depends_on).toEqual({});
    const { region } = readSettings(serviceOf(name).environment);
    const stores = STORES_OF[name] ?? ["postgres", "redis"];
    const brokers = region === "" ? ["rabbitmq-eu", "rabbitmq-us"] : [`rabbitmq-${region}`];
    expect(Object.keys(serviceOf(name).depends_on).sort()).toEqual([...stores, ...brokers].sort());
    for (const [needed, { condition }] of Object.entries(serviceOf(name).depends_on)) {
      expect(condition).toBe("service_healthy");
      expect(serviceOf(needed).healthcheck).toBeDefined();
    }
  });

  test("only the gateways are published, and only on the loopback", () => {
    const published = Object.values(compose.services).flatMap((service) => service.ports);
    expect(published).toEqual(["127.0.0.1:8080:8080", "127.0.0.1:8081:8080"]);
    for (const name of ["gateway-eu", "gateway-us"]) {
      const { httpHost, httpPort } = readSettings(serviceOf(name).environment);
      expect(httpHost).toBe("0.0.0.0");
      expect(serviceOf(name).ports[0]).toEndWith(`:${httpPort}`);
    }
  });

  test("each store keeps its data in its own volume", () => {
    const mounts = STORES.flatMap((name) =>
      serviceOf(name).volumes.map((volume) => volume.split(":") as [string, string]),
    );
    const files = mounts.filter(([source]) => source.startsWith("./"));
    expect(files.filter(([source]) => !existsSync(join(ROOT, source)))).toEqual([]);
    const named = mounts.filter(([source]) => !source.startsWith("./")).map(([source]) => source);
    expect(named).toEqual(Object.keys(compose.volumes));
    expect(named).toEqual(STORES);
  });

  test("a broker's data outlives its container; its health check does not run as root", () => {
    for (const name of ["rabbitmq-eu", "rabbitmq-us"]) {
      expect(serviceOf(name).hostname).toBe(name);
      expect(serviceOf(name).user).toBe("rabbitmq");
    }
  });

  test("builds of the same folder do not export the same image name", () => {
    const names = ROLES.map((name) => serviceOf(name).image).filter((image) => image !== undefined);
    expect(new Set(names).size).toBe(names.length);
  });

  test("a variable without a default or a message is rejected", () => {
    const variable = (inside: string) => `$\{${inside}}`;
    expect(interpolate(variable("A:-b") + variable("C:-d"), { A: "a" })).toBe("ad");
    expect(() => interpolate(variable("A"), {})).toThrow("neither a default nor a message");
    expect(() => interpolate("a$b", {})).toThrow("starts no variable");
  });

  test("the commands in docs/operations.md name services that exist", () => {
    const named = [
      ...fileText("docs/operations.md").matchAll(
        /docker compose (?:exec|logs|kill)(?: --?\S+)* (\w[\w-]*)/g,
      ),
    ];
    expect(named.length).toBeGreaterThan(0);
    for (const [, name] of named) expect(Object.keys(compose.services)).toContain(name as string);
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

  test("pins its base image's version, and runs without root", () => {
    for (const stage of stages) expect(stage[0]?.rest).toMatch(/^[a-z]+:(\d+-)?\w+-slim/);
    const users = stages.at(-1)?.filter(({ word }) => word === "USER") ?? [];
    expect(users.map(({ rest }) => rest)).toEqual(["10001"]);
  });
});

describe("run from the image's folder, as configured", () => {
  const started: Started[] = [];
  let image: Image;
  let rabbit: PrivateRabbit;
  let native: (text: string) => string;
  const ports: Record<string, string> = {};

  /** A service's environment with this machine's addresses, and nothing else. */
  const environmentOf = (name: string): Record<string, string> => {
    const own = Object.entries(serviceOf(name).environment).map(([variable, value]) => [
      variable,
      native(value),
    ]);
    const port = ports[name] === undefined ? {} : { SLUICE_HTTP_PORT: ports[name] };
    // Other processes of this machine must not make the roles pause: whether they start is tested.
    const undisturbed = { SLUICE_GOVERNOR_CPU: "off", SLUICE_GOVERNOR_LOOP: "off" };
    return { ...image.environment, ...Object.fromEntries(own), ...port, ...undisturbed };
  };
  /** A process in a service's container. */
  const spawn = (name: string, command: readonly string[], env = environmentOf(name)) => {
    const [program = "", ...args] = command.map((word) => native(word));
    const found = Bun.which(program, { PATH: env.PATH as string });
    if (!found) throw new Error(`${name}: '${program}' is not in the image`);
    return Bun.spawn([found, ...args], {
      cwd: image.dir,
      env,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  };
  /** Runs a command as in docs/operations.md. */
  const say = async (...command: string[]): Promise<string> => {
    const [, name = "", words = ""] =
      /sluice\(\) \{ docker compose exec -T (\S+) (.+) "\$@"/.exec(
        fileText("docs/operations.md"),
      ) ?? [];
    const child = spawn(name, [...words.split(" "), ...command]);
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    expect([code, err]).toEqual([0, ""]);
    return out.trim();
  };
  /**
   * Runs one health check: its exit code and output. A check that exceeds its time-out has failed.
   */
  const check = async (name: string): Promise<{ code: number; said: string }> => {
    const { test: form, timeout } = serviceOf(name).healthcheck as NonNullable<
      Service["healthcheck"]
    >;
    const [kind, ...words] = form;
    const child = spawn(name, kind === "CMD" ? words : ["sh", "-c", native(at(words, 0))]);
    const late = setTimeout(() => child.kill("SIGKILL"), milliseconds(timeout));
    const [said, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
    clearTimeout(late);
    return { code, said };
  };
  const states = () =>
    Promise.all(
      ROLES.map(async (name) => ((await check(name)).code === 0 ? "healthy" : "unhealthy")),
    );
  const untilHealthy = async ({ name, child, log }: Started): Promise<void> => {
    const { start_period, interval, retries } = serviceOf(name).healthcheck as NonNullable<
      Service["healthcheck"]
    >;
    // Three times what an orchestrator allows: here all roles start at once, on shared cores.
    const allowedMs = milliseconds(start_period) + retries * milliseconds(interval);
    const end = performance.now() + 3 * allowedMs;
    for (let last = "nothing"; ; ) {
      const { code, said } = await check(name);
      if (code === 0) return;
      last = said || last;
      if (child.exitCode !== null)
        throw new Error(`${name} exited with ${child.exitCode}: ${await log}`);
      if (performance.now() > end) throw new Error(`${name} did not become healthy: ${last}`);
      await Bun.sleep(CHECK_PAUSE_MS);
    }
  };
  const start = (name: string, command: readonly string[]): Started => {
    const child = spawn(name, command);
    const role = { name, child, log: new Response(child.stderr).text() };
    started.push(role);
    return role;
  };

  beforeAll(async () => {
    image = buildImage(ROOT, testDir("image"));
    const [redisPort, providerPort, ...gatewayPorts] = (await freePorts(4)).map(String) as [
      string,
      string,
      string,
      string,
    ];
    const record = `${testDir("deploy-provider")}/provider.jsonl`;
    Object.assign(ports, { "gateway-eu": gatewayPorts[0], "gateway-us": gatewayPorts[1] });
    rabbit = await brokerWith("deploy/rabbitmq.conf");
    const ledgerUrl = await freshDatabase();
    native = (text) =>
      text
        .replaceAll("@redis:6379", `@127.0.0.1:${redisPort}`)
        .replaceAll(/^8090$/g, providerPort)
        .replaceAll("/tmp/provider.jsonl", record)
        .replaceAll("/tmp/packed.db", `${record}.packed.db`)
        .replaceAll(/http:\/\/(provider|127\.0\.0\.1):8090/g, `http://127.0.0.1:${providerPort}`)
        .replaceAll(/^redis-cli /g, `redis-cli -p ${redisPort} `)
        .replaceAll(
          /amqp:\/\/([\w-]+):\w[\w-]*@rabbitmq-(\w+):5672\/sluice/g,
          (_, user: string, region: string) => rabbit.url(region, user),
        )
        .replaceAll(/postgres:\S+@postgres:5432\/sluice/g, ledgerUrl);
    expect(native("amqp://rates:word@rabbitmq-eu:5672/sluice")).toBe(rabbit.url("eu", "rates"));
    const [server = "", ...args] = serviceOf("redis").command;
    const file = args.map((arg) =>
      arg === "/etc/redis/redis.conf" ? join(ROOT, "deploy/redis.conf") : arg,
    );
    const redis = start("redis", [
      server,
      ...file,
      "--port",
      redisPort,
      "--bind",
      "127.0.0.1",
      "--dir",
      testDir("deploy-redis"),
    ]);
    await untilHealthy(redis);
  }, TIMEOUT_MS);

  afterAll(async () => {
    for (const { child } of started) child.kill("SIGKILL");
    await Promise.all(started.map(({ child }) => child.exited));
    await rabbit?.kill();
  });

  test(
    "the stores' files take effect: Redis writes no file, a broker has its limits",
    async () => {
      const asked = ["appendonly", "maxmemory-policy", "save"];
      const client = Bun.spawn(["sh", "-c", native(`redis-cli CONFIG GET ${asked.join(" ")}`)], {
        env: environmentOf("redis"),
      });
      const lines = (await new Response(client.stdout).text()).split("\n");
      const setting = (name: string) => lines[lines.indexOf(name) + 1];
      expect(asked.map(setting)).toEqual(["no", "noeviction", ""]);
      const broker = await rabbit.ctl("environment");
      expect(broker).toContain('{vm_memory_high_watermark,{absolute,"1GB"}}');
      expect(broker).toContain('{disk_free_limit,"1GB"}');
    },
    TIMEOUT_MS,
  );

  test("the image has everything that the command line can load", async () => {
    expect(await say("--help")).toContain("gateway");
  });

  test("a gateway that accepts no orders is unhealthy and says why", async () => {
    const answers = [new Response("broker away", { status: 503 }), new Response("{}")];
    using _stub = Bun.serve({
      hostname: "127.0.0.1",
      port: Number(ports["gateway-eu"]),
      fetch: () => answers.shift() as Response,
    });
    expect(await check("gateway-eu")).toEqual({ code: 1, said: "broker away\n" });
    expect(await check("gateway-eu")).toEqual({ code: 0, said: "" });
  });

  test.each([
    ["running", "up", 0],
    ["running", "away", 1],
    ["rebuilding", "up", 1],
    ["halted: the ledger is behind", "up", 1],
  ])(
    "a worker that is %s, its ledger %s: health check exits with %i",
    async (state, ledger, code) => {
      const redis = new RedisStore({
        runtime: realRuntime,
        url: environmentOf("worker-1").SLUICE_REDIS_URL as string,
      });
      await redis.connect();
      const members = new Members(redis);
      await members.beat(
        "worker-1-0123abcd",
        milliseconds("60s"),
        JSON.stringify({ state, ledger }),
        [],
      );
      expect([(await check("worker-1")).code, (await check("worker-2")).code]).toEqual([code, 1]);
      await members.letGo("worker-1-0123abcd", [], true);
      await redis.close();
    },
  );

  test(
    "each role becomes healthy, an order is decided, and the stop signal ends each with 0 in time",
    async () => {
      expect(await states()).toEqual(ROLES.map(() => "unhealthy"));
      const roles = ROLES.map((name) =>
        start(name, [...image.entrypoint, ...serviceOf(name).command]),
      );
      await Promise.all(roles.map(untilHealthy));
      // Roles without stores report themselves to Redis as its user `board`.
      const listed = await say("workers", "--json");
      expect([listed.includes('"payments-'), listed.includes('"warehouse-')]).toEqual([true, true]);

      const operator = await say("token", "--user", "shop", "--scope", "operator");
      const sale = await Bun.file(join(ROOT, "deploy/demo-sale.json")).text();
      expect((await call(ports["gateway-eu"], operator, "/v1/admin/sales", sale)).status).toBe(201);

      const [ann, id] = [await say("token", "--user", "ann"), await say("id")];
      const order = JSON.stringify({
        id,
        saleId: "demo",
        currency: "EUR",
        lines: [{ sku: "lamp", qty: 1 }],
      });
      expect(await untilAccepted(ports["gateway-us"], ann, order)).toBe(202);
      expect(await untilPaid(() => say("orders", "--user", "ann", "--json"))).toEqual({
        id,
        status: "paid",
      });

      for (const [i, { name, child, log }] of roles.entries()) {
        const { stop_signal, stop_grace_period } = serviceOf(name);
        child.kill(stop_signal);
        const late = setTimeout(() => child.kill("SIGKILL"), milliseconds(stop_grace_period));
        const code = await child.exited;
        clearTimeout(late);
        expect([name, code, code === 0 ? "" : await log]).toEqual([name, 0, ""]);
        // A stopped role is known to be gone, and the others are not mistaken for it.
        expect(await states()).toEqual(
          ROLES.map((_, other) => (other <= i ? "unhealthy" : "healthy")),
        );
      }
    },
    TIMEOUT_MS,
  );
});

interface Started {
  readonly name: string;
  readonly child: Bun.ReadableSubprocess;
  readonly log: Promise<string>;
}

/** A broker with two regions that reads an additional file, as in the container. */
async function brokerWith(conf: string): Promise<PrivateRabbit> {
  const dir = testDir("deploy-rabbit");
  mkdirSync(join(dir, "conf.d"));
  cpSync(join(ROOT, conf), join(dir, "conf.d", "50-sluice.conf"));
  process.env.RABBITMQ_CONFIG_FILES = join(dir, "conf.d");
  try {
    return await startRabbit(dir, { vhosts: ["eu", "us"], accounts: accountsOf(["warehouse"]) });
  } finally {
    delete process.env.RABBITMQ_CONFIG_FILES;
  }
}

function call(
  port: string | undefined,
  token: string,
  path: string,
  body: string,
): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  return fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", headers, body });
}

/** The other gateway may learn of a new sale half a second later. */
async function untilAccepted(
  port: string | undefined,
  token: string,
  order: string,
): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    const { status } = await call(port, token, "/v1/orders", order);
    if (status !== 422 || attempt === 20) return status;
    await Bun.sleep(CHECK_PAUSE_MS);
  }
}

async function untilPaid(
  orders: () => Promise<string>,
): Promise<{ id: string; status: string } | undefined> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const listed = JSON.parse(await orders()) as { orders: { id: string; status: string }[] };
    const [found] = listed.orders;
    if (found?.status === "paid") return { id: found.id, status: found.status };
    await Bun.sleep(CHECK_PAUSE_MS);
  }
  return undefined;
}
