// The table of commands: its help, its examples, its completion, and the page that is made of it.
import { beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { Redis } from "ioredis";
import { settingVariables } from "../core/settings/settings.ts";
import { outputOf } from "../test/output-of.ts";
import { testDir } from "../test/services.ts";
import { completionOf } from "./completion.ts";
import { EXAMPLE_LINES, examplesFor } from "./examples.ts";
import { OWN_EXITS } from "./exits.ts";
import { endingOf, flagsOf } from "./failure.ts";
import { flagOf } from "./flags.ts";
import { mainSettingLines } from "./main-settings.ts";
import { nearest } from "./nearest.ts";
import { buildProgram, pathOf, WITHOUT_SETTINGS, withParts } from "./program.ts";
import { referenceOf } from "./reference.ts";
import { Unavailable, UsageError } from "./usage.ts";

const PAGE = join(import.meta.dir, "..", "docs", "reference", "cli.md");
let program: Command;
let commands: Command[];
beforeAll(async () => {
  program = await buildProgram();
  commands = withParts(program).filter((command) => command !== program);
});

const leaves = () => commands.filter((command) => command.commands.length === 0);

test("every command says in a line what it does, and has an example", () => {
  const bad = commands.filter(({ description }) => description === undefined);
  expect(bad).toEqual([]);
  for (const command of commands) {
    const path = pathOf(command);
    const [says, count] = [command.description(), examplesFor(path).length];
    expect([path, says !== "" && !says.includes("\n"), count > 0]).toEqual([path, true, true]);
  }
});

test("every example names a command, and flags that it knows", () => {
  for (const line of EXAMPLE_LINES) {
    const words = line.split(" ");
    const command = leaves()
      .filter((leaf) => line === pathOf(leaf) || line.startsWith(`${pathOf(leaf)} `))
      .at(-1);
    expect([line, command !== undefined]).toEqual([line, true]);
    const known = command ? flagsOf(command) : [];
    const flags = words.filter((word) => word.startsWith("--"));
    expect([line, flags.filter((flag) => !known.includes(flag))]).toEqual([line, []]);
    // An argument such as <burst|steady> takes one of these words.
    const given = command ? words.slice(pathOf(command).split(" ").length) : [];
    const choices = (command?.registeredArguments ?? []).map((argument) => argument.name());
    for (const [i, name] of choices.entries())
      if (name.includes("|")) expect(name.split("|")).toContain(given[i] ?? line);
  }
});

test("the help of 'up' lists the settings that matter most, with the values they may have", () => {
  const lines = mainSettingLines("up").join("\n");
  expect(lines).toContain("--brokers <shared|separate|cluster>");
  expect(lines).toMatch(/--http-port <value> .*\(default: 8080\)/);
  expect(lines).toMatch(/--governor-cpu <value> [^-]*off: it makes no room/);
  for (const line of lines.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
  expect(mainSettingLines("stock")).toEqual([]);
});

test("exit codes of its own belong to commands that exist", () => {
  const paths = commands.map(pathOf);
  expect(Object.keys(OWN_EXITS).filter((path) => !paths.includes(path))).toEqual([]);
});

test("docs/reference/cli.md is made of this table", async () => {
  // Written out again with SLUICE_WRITE_CLI=1.
  const text = referenceOf(program);
  if (process.env.SLUICE_WRITE_CLI === "1") await Bun.write(PAGE, text);
  expect(readFileSync(PAGE, "utf8")).toBe(text);
});

test("a usage error takes three lines, suggests what was meant, and ends with 2", async () => {
  const cases: [line: string, said: string][] = [
    ["orders --usr ann", "did you mean '--user'?"],
    ["dead redrvie 1", "did you mean 'redrive'?"],
    ["worker --gap-timeot 10s", "did you mean '--gap-timeout'?"],
    ["orders --limit x", "It must be a whole number from 1 to 100."],
    ["sales restock demo lamp x", "sluice: units 'x' is invalid. It must be a whole number from"],
    ["sales create nofile.json", "there is no file 'nofile.json'"],
    ["routes set art", "missing required argument 'service'"],
    ["id 7 8 9", "too many arguments"],
    ["provider --shares declin=1", "--shares: 'declin' is not one of decline, "],
  ];
  for (const [line, said] of cases) {
    const words = line.split(" ");
    const built = await buildProgram(words[0]);
    const error = await built.parseAsync([...words], { from: "user" }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const { text, code } = endingOf(error, { program: built, words, flags: [] });
    expect([line, code, text.trimEnd().split("\n").length <= 3]).toEqual([line, 2, true]);
    expect(text).toContain(said);
    expect(text).toContain("see: ./sluice help ");
  }
});

test("how a command ends: usage, nothing that answers, an error, a bug with its stack", () => {
  const given = { program, words: ["stock"], flags: ["SLUICE_REDIS_URL"] };
  const end = (error: unknown) => endingOf(error, given);
  const named = (name: string) => Object.assign(new Error("it is away"), { name });
  expect(end(new UsageError("no"))).toEqual({
    text: "sluice: no\nsee: ./sluice help stock\n",
    code: 2,
  });
  expect(end(new Unavailable("nobody"))).toEqual({ text: "sluice: nobody\n", code: 69 });
  for (const name of ["LedgerUnavailable", "BrokerUnavailable", "StoreUnavailable"])
    expect(end(named(name))).toEqual({ text: "sluice: it is away\n", code: 69 });
  expect(end(named("TopologyConflict"))).toEqual({ text: "sluice: it is away\n", code: 1 });
  expect(end(new TypeError("x is not"))).toMatchObject({
    text: expect.stringMatching(/TypeError: x is not\n +at /),
    code: 1,
  });
  const away = end(new Unavailable("no answer from amqp://ann:pa@ss@10.0.0.1/sluice?key=k3y"));
  expect(away.text).toBe("sluice: no answer from amqp://…@10.0.0.1/sluice?key=…\n");
  const refusal =
    'Operation failed: BasicGet; 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED - read access"';
  expect(end(new Error(refusal))).toEqual({
    text: "sluice: the broker refuses: ACCESS_REFUSED - read access\n",
    code: 1,
  });
  // An escape sequence in an error is shown, not obeyed.
  expect(end(new UsageError("\u001b[2J")).text).toContain("\\u{1b}[2J");
});

test("an error of Redis's client is one line, and ends with 69", async () => {
  const redis = new Redis({ port: 1, lazyConnect: true, retryStrategy: () => null });
  redis.on("error", () => undefined);
  const connect = await redis.connect().catch((error: unknown) => error);
  redis.disconnect();
  const closed = await redis.get("x").catch((error: unknown) => error);
  for (const error of [connect, closed])
    expect(endingOf(error, { program, words: ["verify"], flags: [] })).toMatchObject({
      text: expect.stringMatching(/^sluice: [^\n]+\n$/),
      code: 69,
    });
});

test("the nearest word is found across slips, and a strange one has none", () => {
  const known = ["orders", "show", "--gap-timeout", "top"];
  expect(nearest("ordrs", known)).toBe("orders");
  expect(nearest("shwo", known)).toBe("show");
  expect(nearest("--gap-timeuot", known)).toBe("--gap-timeout");
  expect([nearest("nope", known), nearest("payments", known)]).toEqual([undefined, undefined]);
});

test("no flag of a command means something else than the setting of that name", () => {
  const settings = new Set(settingVariables().map(flagOf));
  const shared = commands
    .flatMap((command) => command.options.map(({ long }) => `${pathOf(command)} ${long}`))
    .filter((name) => settings.has(name.split(" ").at(-1) ?? ""))
    .filter((name) => !WITHOUT_SETTINGS.has(name.split(" ")[0] ?? ""));
  // These belong to the command: cli.ts leaves them to it.
  expect(shared).toEqual(["routes set --region", "routes unset --region"]);
});

/** What bash offers for a line, the cursor at its end. */
async function bashOffers(script: string, line: string): Promise<string[]> {
  const words = line.split(" ").map((word) => `'${word}'`);
  const set = `COMP_WORDS=(${words.join(" ")}); COMP_CWORD=${words.length - 1}`;
  const { out, err } = await outputOf(
    ["bash", "-c", `source ${script}; ${set}; _sluice; printf '%s\\n' "\${COMPREPLY[@]}"`],
    {},
  );
  expect(err).toBe("");
  return out.trim().split("\n");
}

test("bash completes commands, sub-commands, flags and settings", async () => {
  const script = join(testDir("completion"), "sluice.bash");
  await Bun.write(script, completionOf("bash", program));
  expect(await bashOffers(script, "./sluice or")).toEqual(["orders"]);
  expect(await bashOffers(script, "./sluice ")).toEqual(
    expect.arrayContaining(["up", "logs", "help", "test"]),
  );
  expect(await bashOffers(script, "./sluice dead ")).toEqual(["list", "show", "redrive", "drop"]);
  expect(await bashOffers(script, "./sluice completion ")).toEqual(["bash", "zsh", "fish"]);
  expect(await bashOffers(script, "./sluice dead redrive --qu")).toEqual(["--queue"]);
  expect(await bashOffers(script, "./sluice worker --gap-t")).toEqual(["--gap-timeout"]);
  expect(await bashOffers(script, "./sluice demo --gap-t")).toEqual([""]);
});

for (const shell of ["zsh", "fish"] as const)
  test.skipIf(Bun.which(shell) === null)(`${shell} accepts its script`, async () => {
    const script = join(testDir("completion"), `sluice.${shell}`);
    await Bun.write(script, completionOf(shell, program));
    expect(await outputOf([shell, "-n", script], {})).toMatchObject({ code: 0, err: "" });
  });
