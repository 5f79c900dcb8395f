// The launcher on machines that lack something. A test installs nothing; real installs are tried on
// a fresh system.
import { expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { outputOf } from "./output-of.ts";
import { testDir } from "./services.ts";

/** A test starts npm and Bun several times. */
setDefaultTimeout(60_000);

const LAUNCHER = join(import.meta.dir, "..", "sluice");

/**
 * A folder with links to every program of this machine except some. `apt-get` only records its
 * calls, and `sudo` runs nothing else.
 */
function pathWithout(...missing: string[]): { path: string; aptCalls: string } {
  const path = testDir("path");
  for (const dir of (process.env.PATH ?? "").split(":").reverse()) {
    if (!existsSync(dir)) continue;
    for (const name of readdirSync(dir)) {
      if (missing.includes(name) || name === "apt-get" || existsSync(join(path, name))) continue;
      try {
        symlinkSync(join(dir, name), join(path, name));
      } catch {
        // a dangling link with the same name
      }
    }
  }
  rmSync(join(path, "sudo"), { force: true });
  writeFileSync(join(path, "sudo"), '#!/bin/sh\ncase "$*" in *apt-get*) exec "$@" ;; esac\n', {
    mode: 0o755,
  });
  const aptCalls = join(path, "apt-calls");
  writeFileSync(join(path, "apt-get"), `#!/bin/sh\necho "$*" >>${aptCalls}\nexit 100\n`, {
    mode: 0o755,
  });
  return { path, aptCalls };
}

/** If the packages did not match the lock file, the launcher would replace them while tests run. */
const installed = async () =>
  (await Bun.file(join(LAUNCHER, "../node_modules/.installed-lock")).text()) ===
  (await Bun.file(join(LAUNCHER, "../package-lock.json")).text());

async function launch(path: string, env: Record<string, string>, ...args: string[]) {
  if (!(await installed()))
    throw new Error("node_modules does not match package-lock.json: run ./sluice test");
  return outputOf([LAUNCHER, ...args], { env: { HOME: "/", PATH: path, ...env } });
}

test("without npm it says how to get npm", async () => {
  const { path } = pathWithout("npm");
  expect(await launch(path, {}, "up")).toMatchObject({
    code: 1,
    err: expect.stringContaining("npm is missing. Install Node.js"),
  });
});

test("--no-install names what is missing and how to get it, and installs nothing", async () => {
  const { path, aptCalls } = pathWithout("redis-server");
  const { code, err } = await launch(path, {}, "demo", "--no-install");
  expect(code).toBe(1);
  expect(err).toContain("Sluice needs: redis-server");
  for (const way of [
    "apt-get install redis-server",
    "dnf install",
    "brew install",
    "docker compose up",
    "SLUICE_REDIS_URL=",
  ])
    expect(err).toContain(way);
  expect(existsSync(aptCalls)).toBe(false);
});

test("a service configured elsewhere, by variable or flag, is not required", async () => {
  const { path, aptCalls } = pathWithout("redis-server");
  const url = "redis://127.0.0.1:1";
  // An invalid region: the command exits on its own after the launcher has started it.
  const env = { SLUICE_REGIONS: "none" };
  for (const [more, ...flags] of [
    [{ SLUICE_REDIS_URL: url }],
    [{}, "--redis-url", url],
    [{}, `--redis-url=${url}`],
  ] as const) {
    const { code, err } = await launch(path, { ...env, ...more }, "up", "--no-install", ...flags);
    expect(err).toBe(
      "sluice: SLUICE_REGIONS must be name=amqp://…,name=amqp://…; 'none' is not a region name\n",
    );
    expect(code).toBe(1);
  }
  expect(existsSync(aptCalls)).toBe(false);
});

test("without a terminal nothing is installed unasked, except in a container or CI", async () => {
  const { path, aptCalls } = pathWithout("redis-server");
  const { code, err } = await launch(path, { LAUNCHER_CONTAINER_MARKS: "/none" }, "up");
  expect(code).toBe(1);
  expect(err).toContain("there is no terminal to ask on: add --yes to install");
  expect(err).toContain("Sluice needs: redis-server");
  expect(existsSync(aptCalls)).toBe(false);
  const consents = [
    { LAUNCHER_CONTAINER_MARKS: "", CI: "true" },
    { LAUNCHER_CONTAINER_MARKS: path, CI: "" },
  ];
  for (const consent of consents)
    expect((await launch(path, consent, "up")).err).toContain(
      "the packages could not be installed: redis-server",
    );
});

test.each([
  ["INT", 130],
  ["TERM", 143],
  ["HUP", 129],
] as const)(
  "SIG%s while the lists are fetched ends it: nothing is installed",
  async (signal, code) => {
    const { path, aptCalls } = pathWithout("redis-server");
    const apt = `#!/bin/sh\necho "$*" >>${aptCalls}\nkill -${signal} $PPID\nexit 100\n`;
    writeFileSync(join(path, "apt-get"), apt, { mode: 0o755 });
    expect((await launch(path, {}, "up", "--yes")).code).toBe(code);
    expect(await Bun.file(aptCalls).text()).toBe("update -qq\n");
    expect(existsSync("/usr/sbin/policy-rc.d")).toBe(guarded);
  },
);

const guarded = existsSync("/usr/sbin/policy-rc.d");

test("a failed install names what could not be installed", async () => {
  const { path, aptCalls } = pathWithout("redis-server");
  const { code, err } = await launch(path, {}, "up", "--yes");
  expect(code).toBe(1);
  expect(err).toContain("missing on this machine: redis-server.");
  expect(err).toContain("the packages could not be installed: redis-server");
  expect(await Bun.file(aptCalls).text()).toContain(
    "install -y -qq --no-install-recommends redis-server",
  );
});

/** A checkout by links, without packages. */
function checkout(): string {
  const home = testDir("checkout");
  const root = join(LAUNCHER, "..");
  for (const name of readdirSync(root))
    if (!name.startsWith(".") && name !== "node_modules")
      symlinkSync(join(root, name), join(home, name));
  return home;
}

test("two launchers at once: one fetches the packages, the other waits", async () => {
  const [home, path] = [checkout(), testDir("npm")];
  const root = join(LAUNCHER, "..");
  const calls = join(path, "calls");
  // As npm does, it leaves nothing usable until it is done.
  const npm = `#!/bin/sh
    echo "$*" >>${calls}
    rm -rf node_modules && sleep 1 && ln -s ${root}/node_modules node_modules`;
  writeFileSync(join(path, "npm"), npm, { mode: 0o755 });
  const env = { HOME: "/", PATH: `${path}:${process.env.PATH}` };
  const both = await Promise.all([1, 2].map(() => outputOf([join(home, "sluice"), "id"], { env })));
  for (const { code, out } of both) {
    expect(code).toBe(0);
    expect(out).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  }
  expect(readFileSync(calls, "utf8")).toBe("ci --no-audit --no-fund --loglevel=error\n");
  expect(both.filter(({ err }) => err.includes("another ./sluice is fetching"))).toHaveLength(1);
});

/**
 * A checkout whose packages npm has installed, not the launcher. `change` may change npm's list of
 * them. Returns the calls of npm that a command makes.
 */
async function npmCalls(command: string, change = (list: string) => list): Promise<string> {
  const [home, path] = [checkout(), testDir("npm")];
  const root = join(LAUNCHER, "..");
  mkdirSync(join(home, "node_modules"));
  for (const name of readdirSync(join(root, "node_modules")))
    if (!name.startsWith(".") || name === ".bin")
      symlinkSync(join(root, "node_modules", name), join(home, "node_modules", name));
  const list = readFileSync(join(root, "node_modules", ".package-lock.json"), "utf8");
  writeFileSync(join(home, "node_modules", ".package-lock.json"), change(list));
  const calls = join(path, "calls");
  writeFileSync(join(path, "npm"), `#!/bin/sh\necho "$*" >>${calls}\nexit 1\n`, { mode: 0o755 });
  await outputOf([join(home, "sluice"), command], {
    env: { HOME: "/", PATH: `${path}:${process.env.PATH}` },
  });
  return existsSync(calls) ? readFileSync(calls, "utf8") : "";
}

test("packages that `npm ci --omit=dev` has installed are left alone", async () => {
  const production = (list: string) => {
    const { packages } = JSON.parse(list) as { packages: Record<string, { dev?: boolean }> };
    const kept = Object.entries(packages).filter(([, { dev }]) => !dev);
    return JSON.stringify({ packages: Object.fromEntries(kept) });
  };
  expect(await npmCalls("--version", production)).toBe("");
  expect(await npmCalls("test", production)).toStartWith("ci ");
  const without = (list: string) =>
    production(list).replace('"node_modules/hono"', '"node_modules/h"');
  expect(await npmCalls("--version", without)).toStartWith("ci ");
});
