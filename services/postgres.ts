// A private PostgreSQL cluster for the tests. PostgreSQL refuses to run as root, so root starts it
// as the user that the package created.
import { chownSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { freePort, untilListening } from "./ports.ts";
import { type Child, spawnRecorded } from "./processes.ts";

export interface PrivatePostgres extends Child {
  readonly port: number;
  url(database: string): string;
}

const START_TIMEOUT_MS = 30_000;
const DEBIAN_ROOT = "/usr/lib/postgresql";

/** The folder of initdb and postgres, which Debian does not put on the PATH. */
export function postgresBin(): string | undefined {
  const versions = existsSync(DEBIAN_ROOT)
    ? readdirSync(DEBIAN_ROOT).sort((a, b) => Number(b) - Number(a))
    : [];
  const found = versions
    .map((v) => join(DEBIAN_ROOT, v, "bin"))
    .find((dir) => existsSync(join(dir, "initdb")));
  return found ?? Bun.which("initdb")?.replace(/\/initdb$/, "");
}

/** `settings`: names and values of postgresql.conf. `env`: variables of its process. */
export async function startPostgres(
  dir: string,
  fixedPort?: number,
  settings: Readonly<Record<string, string>> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<PrivatePostgres> {
  const bin = postgresBin();
  if (!bin) throw new Error("postgresql is not installed");
  const data = join(dir, "data");
  mkdirSync(data, { recursive: true });
  const user = process.getuid?.() === 0 ? accountOf("postgres") : undefined;
  if (user) chownSync(data, user.uid, user.gid);
  if (!existsSync(join(data, "PG_VERSION"))) {
    const made = Bun.spawnSync(
      [join(bin, "initdb"), "-D", data, "-U", "sluice", "-A", "trust", "--no-sync"],
      { ...user, cwd: "/" },
    );
    if (made.exitCode !== 0) throw new Error(`initdb: ${made.stderr.toString()}`);
  }
  const port = fixedPort ?? (await freePort());
  // No Unix socket: its path may be at most 107 bytes long, and folders can be deep.
  const place = ["-D", data, "-p", String(port), "-h", "127.0.0.1", "-k", ""];
  const set = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawnRecorded({
    name: "postgres",
    command: [join(bin, "postgres"), ...place, ...set],
    recordDir: join(dir, "run"),
    cwd: "/",
    env,
    ...user,
  });
  await untilListening(port, START_TIMEOUT_MS, child.exited);
  const url = (database: string) => `postgres://sluice@127.0.0.1:${port}/${database}`;
  return { ...child, port, url, stop: () => child.stop("SIGINT") };
}

function accountOf(name: string): { uid: number; gid: number } {
  const id = (flag: string) => Number(Bun.spawnSync(["id", flag, name]).stdout.toString());
  return { uid: id("-u"), gid: id("-g") };
}
