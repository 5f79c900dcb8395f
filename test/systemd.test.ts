// The systemd units: what they start exists, they fit together, and systemd accepts them.
import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { secretVariables } from "../core/settings/secret-files.ts";
import { readSettings } from "../core/settings/settings.ts";
import { outputOf } from "./output-of.ts";
import { testDir } from "./services.ts";

const ROOT = join(import.meta.dir, "..");
const DIR = join(ROOT, "deploy", "systemd");
const UNITS = readdirSync(DIR)
  .filter((name) => name.endsWith(".service"))
  .sort();
/** The most time that a role needs after a gateway's notice. */
const STOP_S = 30;

/** A unit's lines by their key; a key may occur several times. */
function linesOf(unit: string, key: string): string[] {
  const lines = readFileSync(join(DIR, unit), "utf8").split("\n");
  return lines.filter((l) => l.startsWith(`${key}=`)).map((l) => l.slice(key.length + 1));
}

const roleOf = (unit: string): string => /^sluice-(\w+)@\.service$/.exec(unit)?.[1] ?? unit;

test("there is a unit for each role", () => {
  expect(UNITS.map(roleOf)).toEqual(["gateway", "payments", "rates", "sender", "worker"]);
  for (const unit of UNITS)
    expect(linesOf(unit, "ExecStart")).toEqual([
      `/opt/sluice/node_modules/.bin/bun cli/cli.ts ${roleOf(unit)}`,
    ]);
});

test.each(UNITS)("%s: the role accepts its settings, and has time to stop", (unit) => {
  const pairs = linesOf(unit, "Environment").map((line) => {
    const cut = line.indexOf("=");
    return [line.slice(0, cut), line.slice(cut + 1)] as const;
  });
  // Which secrets there are is checked below; their files are not here.
  const plain = pairs.filter(([name]) => name.startsWith("SLUICE_") && !name.endsWith("_FILE"));
  const { drainNoticeMs } = readSettings(Object.fromEntries(plain));
  const [stop = ""] = linesOf(unit, "TimeoutStopSec");
  expect(Number.parseInt(stop, 10)).toBeGreaterThanOrEqual(STOP_S + drainNoticeMs / 1_000);
  expect(drainNoticeMs > 0).toBe(roleOf(unit) === "gateway");
  const files = pairs.filter(([name]) => name.endsWith("_FILE"));
  for (const [name] of files) expect(secretVariables()).toContain(name.replace(/_FILE$/, ""));
  const loaded = linesOf(unit, "LoadCredential").map((line) => line.split(":")[0]);
  expect(files.map(([, path]) => path)).toEqual(loaded.map((name) => `%d/${name}`));
});

test.each(UNITS)("%s starts again whatever happens, and has limits", (unit) => {
  expect(linesOf(unit, "Restart")).toEqual(["always"]);
  expect(linesOf(unit, "StartLimitIntervalSec")).toEqual(["0"]);
  expect(linesOf(unit, "LimitNOFILE")).toEqual(["65536"]);
  expect(linesOf(unit, "MemoryMax")[0]).toMatch(/^\d+[MG]$/);
  for (const key of ["DynamicUser", "NoNewPrivileges", "PrivateTmp", "RestrictNamespaces"])
    expect([key, linesOf(unit, key)]).toEqual([key, ["yes"]]);
  // Bun compiles while it runs.
  expect(linesOf(unit, "MemoryDenyWriteExecute")).toEqual(["no"]);
});

test("the page that installs them names every secret, and who gets it", () => {
  const page = readFileSync(join(ROOT, "deploy", "README.md"), "utf8");
  const rows = [...page.matchAll(/^\| `([a-z-]+(?:<role>)?)` \|.*\| (.*) \|$/gm)];
  const named = new Map(rows.map(([, file = "", roles = ""]) => [file, roles]));
  const missing = UNITS.flatMap((unit) =>
    linesOf(unit, "LoadCredential").flatMap((line) => {
      const file = line.split(":")[0] ?? "";
      const role = roleOf(unit);
      const roles = named.get(file === `regions-${role}` ? "regions-<role>" : file);
      return roles?.includes(role) ? [] : [`${file} of ${role}`];
    }),
  );
  expect(missing).toEqual([]);
});

test("the operator's command reads the secrets and settings that are there", async () => {
  const etc = testDir("etc");
  mkdirSync(join(etc, "secrets"));
  writeFileSync(join(etc, "secrets", "redis-url"), "redis://10.9.9.9:1\n");
  writeFileSync(join(etc, "secrets", "regions-operator"), "eu=amqp://operator:x@10.9.9.8/v\n");
  writeFileSync(join(etc, "sluice.env"), "SLUICE_GAP_TIMEOUT=11s\n");
  const script = join(etc, "sluice");
  const text = readFileSync(join(DIR, "sluice.sh"), "utf8");
  const here = text.replaceAll("/etc/sluice", etc).replaceAll("/opt/sluice", ROOT);
  writeFileSync(script, here, { mode: 0o755 });
  const { code, out } = await outputOf([script, "config"], {
    env: { PATH: process.env.PATH ?? "", HOME: "/" },
  });
  expect(code).toBe(0);
  for (const found of ["redis://10.9.9.9:1", "10.9.9.8", "11s"]) expect(out).toContain(found);
}, 30_000);

const analyze = Bun.which("systemd-analyze");

test.skipIf(!analyze)("systemd accepts the units, and finds them well protected", () => {
  const dir = testDir("units");
  for (const name of [...UNITS, "sluice.target"]) {
    const text = readFileSync(join(DIR, name), "utf8").replaceAll("/opt/sluice", ROOT);
    writeFileSync(join(dir, name.replace("@.", "@one.")), text);
  }
  const units = readdirSync(dir).map((name) => join(dir, name));
  const run = (...words: string[]) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync([analyze as string, ...words]);
    return { exitCode, said: stdout.toString() + stderr.toString() };
  };
  expect(run("verify", "--man=no", ...units)).toEqual({ exitCode: 0, said: "" });
  // Tenths of ten, the most exposed.
  const services = units.filter((unit) => unit.endsWith(".service"));
  const { exitCode, said } = run("security", "--offline=true", "--threshold=20", ...services);
  expect([exitCode, exitCode === 0 ? "" : said]).toEqual([0, ""]);
});
