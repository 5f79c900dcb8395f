// The tree keeps its rules, and each rule, broken in invented files, is noticed.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { MAX_COLUMNS, MAX_LINES, type Tree, violations } from "./structure.ts";

const ROOT = join(import.meta.dir, "..");
const DIRECTORIES =
  "bench,broker,cli,consumers,core,deploy,docs,gateway,ledger,proof,sdk,services,stubs,test";
const FILES = [
  new Bun.Glob(`{${DIRECTORIES}}/**/*.{ts,lua,js,css,html,md,yml,conf,mjs,py}`),
  new Bun.Glob("{*.md,*.yml,Dockerfile,.dockerignore,sluice}"),
  new Bun.Glob(".ci/run"),
];

async function everyFile(): Promise<Tree> {
  const scans = FILES.map((files) => Array.fromAsync(files.scan({ cwd: ROOT, dot: true })));
  const paths = (await Promise.all(scans)).flat();
  return new Map(
    await Promise.all(
      paths.sort().map(async (path) => [path, await Bun.file(join(ROOT, path)).text()] as const),
    ),
  );
}

/** `from` is a separate string, so that these examples are not imports of this file. */
const importing = (...names: string[]) =>
  names.map((name) => `import { x } ${"from"} "${name}";\n`).join("");

test("every file keeps the rules of the layout", async () => {
  const tree = await everyFile();
  expect(tree.size).toBeGreaterThan(100);
  for (const path of ["README.md", ".ci/run", "deploy/prometheus/alerts.yml"])
    expect([...tree.keys()]).toContain(path);
  expect(violations(tree)).toEqual([]);
});

test.each([
  ["the domain imports nothing above it", "core/domain/a.ts", "../stores/keys.ts"],
  ["core does not import the ledger", "core/a.ts", "../ledger/open.ts"],
  ["the broker does not import core's I/O", "broker/a.ts", "../core/stores/redis.ts"],
  ["the ledger does not import the broker", "ledger/a.ts", "../broker/topology.ts"],
  ["gateway does not import consumers", "gateway/a.ts", "../consumers/shards/worker.ts"],
  ["consumers do not import gateway", "consumers/a.ts", "../gateway/start.ts"],
  ["nothing below imports the command line", "consumers/sub/a.ts", "../../cli/log.ts"],
  ["services know nothing of the proof", "services/a.ts", "../proof/history.ts"],
  ["the proof does not import the gateway it checks", "proof/a.ts", "../gateway/start.ts"],
  ["the proof does not import benches", "proof/a.ts", "../bench/ledger.ts"],
  ["the runtime knows no store", "core/runtime/a.ts", "../stores/redis.ts"],
  ["production code does not import test code", "cli/a.ts", "../test/services.ts"],
  ["only core speaks to Redis", "cli/a.ts", "ioredis"],
  ["only the broker speaks AMQP", "consumers/a.ts", "amqplib"],
  ["only the gateway uses Hono", "cli/a.ts", "hono/factory"],
  ["only the gateway checks requests with Valibot", "cli/a.ts", "valibot"],
  ["only the ledger opens SQLite", "core/a.ts", "bun:sqlite"],
  ["a client imports nothing of the product", "sdk/typescript/src/a.ts", "../../../core/x.ts"],
  ["a client has no dependencies", "sdk/typescript/src/a.ts", "node:crypto"],
  ["the product does not import its clients", "gateway/a.ts", "../sdk/typescript/src/index.ts"],
  ["a new folder must be given its place", "helpers/a.ts", "node:fs"],
])("%s", (_, path, name) => {
  const found = violations(new Map([[path, importing(name)]]));
  expect(found).toHaveLength(1);
  expect(found[0]).toStartWith(`${path}:`);
});

test("peers use the clients that their systems need", () => {
  const text = importing("ioredis", "amqplib", "bun:sqlite");
  expect(violations(new Map([["bench/peers/rows/a.ts", text]]))).toEqual([]);
});

test.each([
  ["the wall clock", "const at = Date.now();", "Date.now"],
  ["the wall clock as a date", "const at = new Date();", "Date()"],
  ["the monotonic clock", "const t = performance.now();", "performance.now"],
  ["the clock as a default", "constructor(now = Date.now) {}", "Date.now"],
  ["a timer", "setTimeout(work, 5);", "setTimeout"],
  ["a timer's type", "let t: ReturnType<typeof setInterval>;", "setInterval"],
  ["the next turn", "setImmediate(work);", "setImmediate"],
  ["Bun's sleep", "await Bun.sleep(5);", "Bun.sleep"],
  ["Node's timers", 'import { setTimeout as wait } from "node:timers/promises";', "node:timers"],
  [
    "a signal that aborts",
    "fetch(url, { signal: AbortSignal.timeout(5) });",
    "AbortSignal.timeout",
  ],
  ["randomness", "const jitter = Math.random();", "Math.random"],
  ["a random id", "const id = crypto.randomUUID();", "randomUUID"],
  ["an order's id", "const id = Bun.randomUUIDv7();", "randomUUID"],
  ["random bytes", "crypto.getRandomValues(new Uint8Array(16));", "getRandomValues"],
])("no part uses %s directly", (_, text, what) => {
  for (const path of [
    "core/a.ts",
    "gateway/a.ts",
    "stubs/a.ts",
    "bench/a.ts",
    "ledger/thread.ts",
  ]) {
    const found = violations(new Map([[path, `${text}\n`]]));
    expect(found).toContain(
      `${path}: uses ${what}; time and randomness come from core/runtime/runtime.ts`,
    );
  }
  for (const path of ["core/runtime/a.ts", "bench/k6/a.ts", "core/a.child.ts", "test/a.ts"])
    expect(violations(new Map([[path, `${text}\n`]]))).toEqual([]);
});

test("a date of a given time, the runtime's own members and a comment are no direct use", () => {
  const text = `// not Date.now()
/** Unlike Math.random it is seeded. */
const at = new Date(runtime.wallMs()).toISOString();
this.options.runtime.startTimer(() => runtime.random(), 5);
const bytes = runtime.randomBytes(16);
`;
  expect(violations(new Map([["core/a.ts", text]]))).toEqual([]);
});

test.each([
  'if (error.message.includes("403")) throw error;',
  "if (/already exists/i.test(messageOf(error))) return;",
  "return isReply(error) && /Function not found/i.test(error.message);",
  "/database is locked/.test(message ?? '');",
  'String(error).startsWith("OOM");',
])("no error is judged by its text: %s", (text) => {
  for (const path of ["core/stores/a.ts", "broker/a.ts", "proof/chaos/a.ts"])
    expect(violations(new Map([[path, `${text}\n`]]))).toEqual([
      expect.stringContaining("judges an error by its text"),
    ]);
  const shown =
    "log('away', { error: messageOf(error) });\nconst [code] = error.message.split(' ');\n";
  expect(violations(new Map([["core/a.ts", shown]]))).toEqual([]);
});

test("only code that wires roles may name the real runtime", () => {
  const text = "run(realRuntime);\n";
  for (const path of [
    ...["core/a.ts", "core/domain/a.ts", "broker/a.ts", "ledger/a.ts", "gateway/a.ts"],
    ...["consumers/a.ts", "stubs/a.ts", "cli/roles/a.ts"],
  ])
    expect(violations(new Map([[path, text]]))).toEqual([
      `${path}: only code that wires roles may name the real runtime`,
    ]);
  for (const path of ["cli/commands/a.ts", "services/a.ts", "proof/a.ts", "bench/a.ts"])
    expect(violations(new Map([[path, text]]))).toEqual([]);
  expect(violations(new Map([["ledger/thread.ts", text]]))).toEqual([]);
  expect(violations(new Map([["ledger/a.test.ts", `${text}expect(1);`]]))).toEqual([]);
});

test("only the ledger speaks SQL", () => {
  const text = `import { SQL } ${"from"} "bun";\n`;
  expect(violations(new Map([["cli/a.ts", text]]))).toEqual([
    "cli/a.ts: only ledger may import SQL from bun",
  ]);
  expect(violations(new Map([["ledger/a.ts", text]]))).toEqual([]);
});

test("the Python client imports itself, the standard library and two packages", () => {
  const text = (name: string) => `import asyncio\nfrom .ids import x\nfrom ${name} import y\n`;
  const found = (name: string) => violations(new Map([["sdk/python/a.py", text(name)]]));
  for (const name of ["aiohttp", "email.utils", "sluice_client"]) expect(found(name)).toEqual([]);
  expect(found("requests")).toEqual([
    "sdk/python/a.py: must not import requests; see PYTHON_MAY_IMPORT",
  ]);
});

test("a lazy import counts as well", () => {
  const text = `const load = () => ${"import"}("../consumers/shards/worker.ts");\n`;
  expect(violations(new Map([["gateway/a.ts", text]]))).toEqual([
    "gateway/a.ts: gateway must not import consumers/shards/worker.ts",
  ]);
});

test("each part may import the domain, shared contracts and the parts below", () => {
  const tree = new Map([
    ["ledger/a.ts", importing("../core/domain/order.ts", "../core/runtime/silence.ts", "./db.ts")],
    [
      "gateway/a.ts",
      importing(
        "../core/stores/redis.ts",
        "../broker/publisher.ts",
        "../ledger/contract.ts",
        "hono",
      ),
    ],
    ["gateway/a.test.ts", `${importing("../test/services.ts", "ioredis")}expect(1);`],
  ]);
  expect(violations(tree)).toEqual([]);
});

test("a circle of imports is shown, unless only a type or a lazy import closes it", () => {
  const [a, b] = ["core/a.ts", "core/b.ts"];
  const circle = new Map([
    [a, importing("./b.ts")],
    [b, importing("./a.ts")],
  ]);
  expect(violations(circle)).toEqual(["circle of imports: core/a.ts → core/b.ts → core/a.ts"]);
  const typesOnly = new Map([
    [a, importing("./b.ts")],
    [b, `import type { A } ${"from"} "./a.ts";\n`],
  ]);
  expect(violations(typesOnly)).toEqual([]);
});

test("a file with one line too many is rejected, Lua included", () => {
  expect(violations(new Map([["core/lua/a.lua", "\n".repeat(MAX_LINES)]]))).toEqual([]);
  expect(violations(new Map([["core/lua/a.lua", "\n".repeat(MAX_LINES + 1)]]))).toHaveLength(1);
});

test.each(["docs/a.md", "docker-compose.yml", "Dockerfile", "sluice", ".ci/run"])(
  "a line of one column too many is rejected in %s, unless it is one word",
  (path) => {
    const wide = (line: string) => violations(new Map([[path, `x\n${line}\n`]]));
    const full = `a ${"—".repeat(MAX_COLUMNS - 2)}`;
    expect(wide(full)).toEqual([]);
    expect(wide(`${full}.`)).toEqual([`${path}:2: 101 columns, at most 100`]);
    expect(wide(`- https://${full.slice(2)}`)).toEqual([]);
    const pinned = `FROM ${"a".repeat(30)}:1@sha256:${"0".repeat(64)}`;
    expect([wide(pinned), wide(`${pinned} AS packages`)]).toEqual([[], []]);
    expect(wide(`${pinned}.`)).toHaveLength(1);
  },
);

test("what a bench prints may be wide", () => {
  expect(violations(new Map([["bench/results/a.md", `a ${"x".repeat(200)}\n`]]))).toEqual([]);
});

test.each(["for\n// want of room", "nou" + "ght"])("a stiff phrase is rejected: %j", (phrase) => {
  const found = (path: string, text: string) => violations(new Map([[path, text]]));
  expect(found("core/lua/a.lua", `-- refused ${phrase}\n`)).toHaveLength(1);
  expect(found("docs/a.md", `Refused ${phrase}.\n`)).toHaveLength(1);
  expect(found("docs/a.md", `It was called \`${phrase.replace("\n// ", " ")}\`.\n`)).toEqual([]);
});

test("a test file that expects nothing is rejected", () => {
  expect(violations(new Map([["core/a.test.ts", 'test("x", () => undefined);\n']]))).toEqual([
    "core/a.test.ts: expects nothing",
  ]);
});

test.each([
  ["core/lua/a.lua", "local sale = row[6]\n", "row[6]"],
  ["ledger/a.ts", "const user = step[1];\n", "step[1]"],
])("%s must not read an order by position", (path, text, place) => {
  expect(violations(new Map([[path, text]]))).toEqual([
    `${path}: ${place} is read by position; give the field its name`,
  ]);
  expect(violations(new Map([["core/domain/rows-v0.ts", text]]))).toEqual([]);
});
