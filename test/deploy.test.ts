// The Dockerfile and docker-compose.yml without a container engine: runs the roles from the image's
// folder with the commands, environment, secrets, health checks and stop signals they contain, and
// the walk-through of docs/howto/compose.md against them. Only addresses and a broker's accounts
// are replaced.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { accountsOf } from "../broker/accounts.ts";
import { at } from "../core/domain/at.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { Members } from "../core/stores/members.ts";
import { RedisStore } from "../core/stores/redis.ts";
import { freePorts } from "../services/ports.ts";
import { type PrivateRabbit, startRabbit } from "../services/rabbitmq.ts";
import { milliseconds, readCompose, rolesOf, type Service } from "./compose.ts";
import { buildImage, type Image } from "./image.ts";
import { emptyDatabase, testDir } from "./services.ts";

const ROOT = join(import.meta.dir, "..");
const fileText = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const TIMEOUT_MS = 180_000;
// A role takes seconds to start on a busy machine.
setDefaultTimeout(TIMEOUT_MS);
/** Shorter than the interval in docker-compose.yml, which is easier on a machine in use. */
const CHECK_PAUSE_MS = 200;
const compose = readCompose(fileText("docker-compose.yml"), {});
const serviceOf = (name: string): Service => compose.services[name] as Service;
const ROLES = rolesOf(compose);
/** Where containers have their secrets. */
const MOUNT = "/run/secrets/";

describe("run from the image's folder, as configured", () => {
  const started: Started[] = [];
  let image: Image;
  let rabbit: PrivateRabbit;
  let native: (text: string) => string;
  const ports: Record<string, string> = {};
  const metricsPorts: Record<string, string> = {};

  /** A service's environment with this machine's addresses, and nothing else. */
  const environmentOf = (name: string): Record<string, string> => {
    const own = Object.entries(serviceOf(name).environment).map(([variable, value]) => [
      variable,
      native(value),
    ]);
    const given = Object.fromEntries(own);
    if (ports[name]) given.SLUICE_HTTP_PORT = ports[name];
    for (const variable of ["SLUICE_METRICS_PORT", "SLUICE_GATEWAY_METRICS_PORT"])
      if (given[variable]) given[variable] = metricsPorts[name] as string;
    // Other processes of this machine must not make the roles pause: whether they start is tested.
    return { ...image.environment, ...given, SLUICE_GOVERNOR_LOOP: "off" };
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
  /** Runs a command of the command line in a gateway's container. */
  const say = async (...command: string[]): Promise<string> => {
    const child = spawn("gateway-eu", ["bun", "cli/cli.ts", ...command]);
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
    return { code: code === 0 ? 0 : 1, said };
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

  /** Runs the commands of docs/howto/compose.md, with a `docker` that knows only `exec`. */
  const walk = async (): Promise<{ code: number; out: string }> => {
    const dir = testDir("walk");
    for (const name of ROLES) {
      const pairs = Object.entries(environmentOf(name)).map(([k, v]) => `${k}=${v}`);
      expect(pairs.filter((pair) => /\s/.test(pair))).toEqual([]);
      writeFileSync(join(dir, `${name}.env`), pairs.join("\n"));
    }
    const secrets = native(MOUNT);
    writeFileSync(join(dir, "docker"), dockerExec(dir, image.dir, secrets));
    chmodSync(join(dir, "docker"), 0o755);
    const blocks = fileText("docs/howto/compose.md").matchAll(
      /<!-- walk-through: .*? -->\n```sh\n(.*?)```/gs,
    );
    const commands = [...blocks].map(([, block]) => block).join("\n");
    expect(commands).toContain("docker compose exec");
    const here = commands
      .replaceAll("127.0.0.1:8080", `127.0.0.1:${ports["gateway-eu"]}`)
      .replaceAll("127.0.0.1:8081", `127.0.0.1:${ports["gateway-us"]}`);
    const child = Bun.spawn(["bash", "-euo", "pipefail", "-c", here], {
      cwd: ROOT,
      env: { ...process.env, PATH: `${dir}:${process.env.PATH}` },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { code, out: out + err };
  };

  beforeAll(async () => {
    image = buildImage(ROOT, testDir("image"));
    const [redisPort, providerPort, eu, us, ...others] = (await freePorts(4 + ROLES.length)).map(
      String,
    ) as [string, string, string, string, ...string[]];
    const record = `${testDir("deploy-provider")}/provider.jsonl`;
    Object.assign(ports, { "gateway-eu": eu, "gateway-us": us });
    for (const [i, name] of ROLES.entries()) metricsPorts[name] = at(others, i);
    rabbit = await brokerWith("deploy/rabbitmq.conf");
    const ledgerUrl = await emptyDatabase();
    const secrets = `${testDir("deploy-secrets")}/secrets`;
    native = (text) =>
      text
        .replaceAll(MOUNT, `${secrets}/`)
        .replaceAll("@redis:6379", `@127.0.0.1:${redisPort}`)
        .replaceAll(/^8090$/g, providerPort)
        .replaceAll("/tmp/provider.jsonl", record)
        .replaceAll("/tmp/packed.db", `${record}.packed.db`)
        .replaceAll(/http:\/\/(provider|127\.0\.0\.1):8090/g, `http://127.0.0.1:${providerPort}`)
        .replaceAll(/ redis-cli /g, ` redis-cli -p ${redisPort} `)
        .replaceAll(
          /amqp:\/\/([\w-]+):\w[\w-]*@rabbitmq-(\w+):5672\/sluice/g,
          (_, user: string, region: string) => rabbit.url(region, user),
        )
        .replaceAll(/postgres:\S+@postgres:5432\/sluice/g, ledgerUrl);
    expect(native("amqp://rates:word@rabbitmq-eu:5672/sluice")).toBe(rabbit.url("eu", "rates"));
    makeSecrets(secrets, native);
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
      const password = readFileSync(native(`${MOUNT}redis-password`), "utf8");
      const client = Bun.spawn(
        ["sh", "-c", native(`exec redis-cli CONFIG GET ${asked.join(" ")}`)],
        {
          env: { ...environmentOf("redis"), REDISCLI_AUTH: password },
        },
      );
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
        url: readFileSync(environmentOf("worker-1").SLUICE_REDIS_URL_FILE as string, "utf8"),
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
      await members.release("worker-1-0123abcd", [], true);
      await redis.close();
    },
  );

  test(
    "each role becomes healthy, the walk-through dispatches an order, each stops in time with 0",
    async () => {
      expect(await states()).toEqual(ROLES.map(() => "unhealthy"));
      // There is no init process here, so the test starts what it would start.
      const [init, dashes, ...entrypoint] = image.entrypoint;
      expect([init, dashes]).toEqual(["tini", "--"]);
      const roles = ROLES.map((name) => start(name, [...entrypoint, ...serviceOf(name).command]));
      await Promise.all(roles.map(untilHealthy));
      // Roles without stores report themselves to Redis as its user `board`.
      const listed = await say("workers", "--json");
      for (const name of ["payments-", "warehouse-"]) expect(listed).toContain(`"${name}`);

      const { code, out } = await walk();
      expect([code, out]).toEqual([0, expect.stringContaining("dispatched")]);

      for (const [i, { name, child, log }] of roles.entries()) {
        const { stop_signal, stop_grace_period } = serviceOf(name);
        child.kill(stop_signal);
        const late = setTimeout(() => child.kill("SIGKILL"), milliseconds(stop_grace_period));
        const code = await child.exited;
        clearTimeout(late);
        expect([name, code, code === 0 ? "" : await log]).toEqual([name, 0, ""]);
        // A stopped role shows as gone, and no other role is mistaken for it.
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

/** Makes secrets as the page says, with this machine's addresses. */
function makeSecrets(dir: string, native: (text: string) => string): void {
  const made = Bun.spawnSync([join(ROOT, "deploy/compose/secrets.sh"), dir]);
  expect([made.exitCode, made.stdout.toString()]).toEqual([0, ""]);
  for (const name of readdirSync(dir)) {
    const file = join(dir, name);
    const text = native(readFileSync(file, "utf8"));
    rmSync(file);
    writeFileSync(file, text, { mode: 0o400 });
  }
}

/** docker compose exec [-T] [-e NAME=VALUE] SERVICE WORD…, in the image's folder. */
function dockerExec(envDir: string, imageDir: string, secrets: string): string {
  const [mount, here] = [MOUNT, secrets].map((path) => path.replaceAll("/", "\\/"));
  return `#!/bin/bash
[ "$1 $2" = "compose exec" ] || { echo "docker $*: unknown" >&2; exit 64; }
shift 2
given=()
while true; do
  case "$1" in
    -T) shift ;;
    -e) given+=("\${2//${mount}/${here}}"); shift 2 ;;
    *) break ;;
  esac
done
mapfile -t env < "${envDir}/$1.env"
shift
cd "${imageDir}"
exec env -i "\${env[@]}" "\${given[@]}" "$@"
`;
}
