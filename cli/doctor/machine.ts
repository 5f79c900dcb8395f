// The machine: programs, folder, limits.
import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Settings } from "../../core/settings/settings.ts";
import { type Kept, readKept } from "../../services/kept.ts";
import { recordedPid } from "../../services/processes.ts";
import { rabbitScript } from "../../services/rabbitmq.ts";
import { leftRunning } from "../running.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const PACKAGE = join(import.meta.dir, "..", "..", "package.json");
/** A sale's ledger grows by about 400 bytes per order; RabbitMQ stops publishers below 200 MB. */
const MIN_FREE_BYTES = 2 ** 30;
/** One socket of a gateway per client, and some for the gateway itself. */
const MIN_OPEN_FILES = 4_096;

export function checkMachine(settings: Settings): Finding[] {
  return [
    checkBun(),
    ...checkPrograms(settings),
    checkFolder(settings),
    checkOpenFiles(),
    checkUp(settings),
    ...checkKept(settings),
  ];
}

function checkBun(): Finding {
  const { dependencies } = JSON.parse(readFileSync(PACKAGE, "utf8")) as {
    dependencies: { bun: string };
  };
  const wanted = dependencies.bun;
  if (Bun.version === wanted) return ok("Bun", wanted);
  return warn(
    "Bun",
    `running ${Bun.version}; tested with ${wanted}`,
    "start with ./sluice, which fetches the right version",
  );
}

function checkPrograms(settings: Settings): Finding[] {
  const found: Finding[] = [];
  if (settings.redisUrl === "")
    found.push(program("redis-server", Bun.which("redis-server"), "SLUICE_REDIS_URL"));
  if (settings.regions.length === 0)
    found.push(program("rabbitmq-server", rabbitScript("rabbitmq-server"), "SLUICE_REGIONS"));
  return found;
}

function program(name: string, path: string | null | undefined, setting: string): Finding {
  if (path) return ok(name, path);
  return fail(
    name,
    "not installed",
    `./sluice up installs it where apt is available; or set ${setting} to one elsewhere`,
  );
}

function checkFolder(settings: Settings): Finding {
  const dir = resolve(settings.dataDir);
  const what = "data folder";
  let there = dir;
  while (!existsSync(there)) there = dirname(there);
  if (!statSync(there).isDirectory())
    return fail(what, `${there} is a file`, "choose another with SLUICE_DATA");
  try {
    accessSync(there, constants.W_OK);
  } catch {
    return fail(what, `${there} cannot be written to`, "choose another with SLUICE_DATA");
  }
  const { bavail, bsize } = statfsSync(there);
  const free = bavail * bsize;
  const detail = `${dir}, ${(free / 2 ** 30).toFixed(1)} GiB free`;
  return free >= MIN_FREE_BYTES
    ? ok(what, detail)
    : warn(what, detail, "free some space: RabbitMQ stops accepting orders below 200 MB");
}

function checkOpenFiles(): Finding {
  const what = "open files";
  const limit = /^Max open files\s+(\d+)/m.exec(readIfThere("/proc/self/limits"))?.[1];
  if (limit === undefined) return ok(what, "unknown on this system");
  if (Number(limit) >= MIN_OPEN_FILES) return ok(what, `${limit} per process`);
  return warn(
    what,
    `${limit} per process: a gateway needs one per client`,
    "ulimit -n 65536, or LimitNOFILE in the service",
  );
}

function checkUp(settings: Settings): Finding {
  const what = "sluice up";
  const dir = resolve(settings.dataDir);
  const pid = recordedPid(dir, "up");
  if (pid !== undefined) return ok(what, `running as process ${pid}`);
  if (leftRunning(dir))
    return fail(
      what,
      "a killed 'up' has left processes, and nothing starts them again if they end",
      "'./sluice down' ends them; './sluice up' replaces them",
    );
  return ok(what, `not running in ${settings.dataDir}`);
}

/** The stores that the `up` of this folder keeps running. */
function checkKept({ dataDir }: Settings): Finding[] {
  const dir = resolve(dataDir);
  if (recordedPid(dir, "up") === undefined) return [];
  return [...readKept(dir)].map(([name, kept]) => keptFinding(`${name} of sluice up`, kept));
}

function keptFinding(what: string, kept: Kept): Finding {
  const { state, why, sinceMs, restarts, restartedMs, restartedFor } = kept;
  const since = new Date(sinceMs).toISOString();
  const again = restarts === 1 ? "started again once" : `started again ${restarts} times`;
  const last = `${again}, last at ${new Date(restartedMs).toISOString()}: ${restartedFor}`;
  switch (state) {
    case "serves":
      if (restarts === 0) return ok(what, "serves");
      return warn(what, `serves; ${last}`, "if it happens again, read its log");
    case "fails":
      return fail(what, `does not serve since ${since}: ${why}`, "'up' restarts it on its own");
    case "down":
      return fail(what, `is down since ${since}: ${why}`, "'up' starts it; else read its log");
    case "frozen":
      return fail(what, `is stopped since ${since}: ${why}`, "let it continue: kill -CONT");
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
