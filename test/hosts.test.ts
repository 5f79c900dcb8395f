// How `sluice up` behaves on its machine: private, kept running, joined without settings, and ended
// as a whole, in a folder with any name under any locale.
import { afterEach, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { localUrl } from "../core/domain/local-url.ts";
import { canListen } from "../services/ports.ts";
import { recordedPid } from "../services/processes.ts";
import { endUps, printed, processesOf, run, told, up } from "./running-up.ts";
import { testDir } from "./services.ts";
import { until } from "./until.ts";

const TIMEOUT_MS = 300_000;
afterEach(endUps);

/** The load of other tests must not pause its workers. */
const ENV = { LC_ALL: "POSIX", LANG: "C", SLUICE_GOVERNOR_CPU: "off", SLUICE_GOVERNOR_LOOP: "off" };

test(
  "up is private, restarts its services, is joined without settings, and down ends all of it",
  async () => {
    const dir = join(testDir("hosts"), "dü");
    // Not where a gateway listens by default.
    const host = (await canListen("::1", 0)) ? "::1" : "127.0.0.2";
    const flags = ["--http-port", "0", "--gap-timeout", "29s", "--shards", "6"];
    const running = await up(dir, { ...ENV, SLUICE_HTTP_HOST: host }, ...flags);
    expect(Object.keys(running.gateways)).toEqual(["eu", "us"]);
    expect(running.gateways.eu).toStartWith(localUrl(host, 0).slice(0, -1));

    const mode = (path: string) => statSync(path).mode & 0o777;
    expect(mode(dir)).toBe(0o700);
    expect(readFileSync(join(dir, ".gitignore"), "utf8")).toBe("*\n");
    for (const name of readdirSync(dir))
      expect([name, mode(join(dir, name)) & 0o077]).toEqual([name, 0]);
    // Roles without customers may begin to listen a moment after `up` is ready.
    const addresses = () => processesOf(dir).flatMap(listening);
    await until("all to listen", () => addresses().length > 8);
    const pids = processesOf(dir);
    expect(pids.length).toBeGreaterThan(8);
    expect(addresses().filter((address) => !isLoopback(address))).toEqual([]);
    for (const pid of pids)
      expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).not.toContain("requirepass");

    const { env } = JSON.parse(readFileSync(join(dir, "current.json"), "utf8"));
    const url = new URL(env.SLUICE_REDIS_URL);
    expect(url.password.length).toBeGreaterThan(20);
    const stranger = new Redis(Number(url.port), "127.0.0.1", { maxRetriesPerRequest: 0 });
    stranger.on("error", () => undefined);
    expect(String(await stranger.ping().catch((error) => error))).toContain("NOAUTH");
    stranger.disconnect();

    // W7: settings that are given are those that `up` uses, and the rest is found.
    const given = { SLUICE_REDIS_URL: env.SLUICE_REDIS_URL };
    const config = await told(dir, "config", "--gap-timeout", "28s");
    expect(config).toMatch(/SLUICE_GAP_TIMEOUT .*28s/);
    expect(await told(dir, "config")).toMatch(/SLUICE_GAP_TIMEOUT .*29s/);
    const stock = run(dir, ["stock"], given);
    expect([await new Response(stock.stdout).text(), await stock.exited]).toEqual([
      expect.stringContaining("lamp"),
      0,
    ]);
    const elsewhere = run(dir, ["stock"], { SLUICE_REDIS_URL: "redis://127.0.0.1:1" });
    expect(await new Response(elsewhere.stderr).text()).toContain("SLUICE_REGIONS is not set");
    await elsewhere.exited;

    const roles = (await told(dir, "logs", "--list")).split("\n");
    expect(roles).toEqual(expect.arrayContaining(["gateway-eu", "worker-1"]));
    const logged = (await told(dir, "logs", "worker", "--lines", "2", "--json")).split("\n");
    expect(logged.map((line) => (JSON.parse(line) as { role: string }).role)).toEqual([
      expect.stringMatching(/^worker-/),
      expect.stringMatching(/^worker-/),
    ]);
    await leavesOnQ(dir);

    const worker = run(dir, ["worker"]);
    const gateway = run(dir, ["gateway"]);
    const listens = /"url":"(http:[^"]+)"/.exec(await printed(gateway, "gateway listening"));
    await until("the third worker has its share", async () => (await owners(dir)).length === 3);
    expect((await fetch(`${listens?.[1]}/readyz`)).status).toBe(200);
    for (const child of [worker, gateway]) child.kill("SIGHUP");
    expect(await Promise.all([worker.exited, gateway.exited])).toEqual([0, 0]);

    const services = [join(dir, "redis", "run"), join(dir, "rabbitmq", "run")];
    const said = printed(running.process, "Redis runs again", "RabbitMQ runs again");
    process.kill(recordedPid(services[0] as string, "redis") as number, "SIGKILL");
    process.kill(recordedPid(services[1] as string, "rabbitmq") as number, "SIGKILL");
    expect(await said).toContain("Redis exited with code 137; starting it again (log: ");
    await until("both workers have theirs", async () => (await owners(dir)).length === 2, 60_000);

    running.process.kill("SIGKILL");
    await running.process.exited;
    expect(await told(dir, "down")).toContain("stopped what was left: ");
    // Erlang's own helper process ends a moment after its parent.
    await until("all processes have ended", () => processesOf(dir).length === 0);
    expect(await told(dir, "down")).toBe(`nothing runs in ${dir}/`);
  },
  TIMEOUT_MS,
);

test("a folder that others use keeps its mode", async () => {
  const dir = testDir("hosts-shared", 0o755);
  mkdirSync(join(dir, "theirs"));
  using taken = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const refused = await up(dir, { SLUICE_HTTP_PORT: String(taken.port) });
  expect(await refused.process.exited).toBe(1);
  expect(readFileSync(join(dir, ".gitignore"), "utf8")).toBe("*\n");
  expect(statSync(join(dir, "up.pid")).mode & 0o077).toBe(0);
  expect(statSync(dir).mode & 0o777).toBe(0o755);
});

/** `sluice top` on a terminal of its own. */
async function leavesOnQ(dir: string): Promise<void> {
  let screen = "";
  const cli = join(import.meta.dir, "..", "cli", "cli.ts");
  const top = Bun.spawn([process.execPath, cli, "top"], {
    env: { ...process.env, SLUICE_DATA: dir },
    terminal: {
      cols: 120,
      rows: 40,
      data: (_, bytes) => {
        screen += new TextDecoder().decode(bytes);
      },
    },
  });
  await until("top draws", () => screen.includes("Sluice"), 60_000);
  top.terminal?.write("q");
  expect(await top.exited).toBe(0);
  expect(screen).toEndWith("\u001b[?1049l\u001b[?25h");
}

/** The workers that have shards. */
async function owners(dir: string): Promise<string[]> {
  const { workers }: { workers: { id: string; shards: number[] | null }[] } = JSON.parse(
    await told(dir, "workers", "--json"),
  );
  return workers.filter(({ shards }) => (shards ?? []).length > 0).map(({ id }) => id);
}

/** Addresses on which a process accepts TCP connections, in the kernel's words (proc(5)). */
function listening(pid: string): string[] {
  const inodes = new Set(
    linksIn(`/proc/${pid}/fd`).flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []),
  );
  return ["tcp", "tcp6"].flatMap((kind) =>
    readFileSync(`/proc/${pid}/net/${kind}`, "utf8")
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/ +/))
      .filter((fields) => fields[3] === LISTEN && inodes.has(fields[9] as string))
      .map((fields) => (fields[1] as string).replace(/:.*/, "")),
  );
}

const LISTEN = "0A";
/** 127.0.0.0/8, the same as IPv6 addresses, and ::1, as the kernel writes them. */
const isLoopback = (address: string): boolean =>
  /^(0{16}F{4}0{4}|0{16}0{4}F{4})?[0-9A-F]{6}7F$/.test(address) ||
  address === "00000000000000000000000001000000";

function linksIn(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    try {
      return [readlinkSync(join(folder, name))];
    } catch {
      return []; // closed meanwhile
    }
  });
}
