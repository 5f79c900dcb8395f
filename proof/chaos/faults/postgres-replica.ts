// A streaming replica of a Postgres on this machine, made with pg_basebackup. It receives what the
// primary writes and replays it late.
import { appendFileSync, chmodSync, chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { Db, LedgerUnavailable } from "../../../ledger/db.ts";
import { freePort, untilListening } from "../../../services/ports.ts";
import { postgresBin } from "../../../services/postgres.ts";
import { type Child, spawnRecorded } from "../../../services/processes.ts";
import { until } from "../within.ts";

const START_MS = 60_000;
const SYNC_MS = 60_000;
/** How late it replays what it has received. */
const REPLAY_DELAY = "2s";
const NAME = "sluice_replica";

export class Replica {
  private constructor(
    /** Of the same database. */
    readonly url: string,
    readonly data: string,
    private readonly child: Child,
    private readonly bin: string,
  ) {}

  /** Starts a replica of the server of a URL, which must be on this machine. */
  static async of(url: string, dir: string): Promise<Replica> {
    const bin = postgresBin();
    if (!bin) throw new Error("postgresql is not installed");
    const { port: primary } = new URL(url);
    const user = accountOf();
    mkdirSync(dir, { recursive: true });
    chmodSync(dir, 0o755);
    if (user) chownSync(dir, user.uid, user.gid);
    const data = join(dir, "data");
    const copy = Bun.spawn(
      [
        ...[join(bin, "pg_basebackup"), "-D", data, "-h", "127.0.0.1", "-p", primary],
        ...["-U", "sluice", "-X", "stream", "-c", "fast", "-R", "--no-sync"],
      ],
      { ...user, cwd: "/", stdout: "ignore", stderr: "pipe", timeout: START_MS },
    );
    if ((await copy.exited) !== 0)
      throw new Error(`pg_basebackup: ${await new Response(copy.stderr).text()}`);
    const port = await freePort();
    const from = `host=127.0.0.1 port=${primary} user=sluice application_name=${NAME}`;
    appendFileSync(join(data, "postgresql.auto.conf"), `primary_conninfo = '${from}'\n`);
    const child = spawnRecorded({
      name: "replica",
      command: [
        ...[join(bin, "postgres"), "-D", data, "-p", String(port), "-h", "127.0.0.1"],
        ...["-k", ""], // no Unix socket: its path may be at most 107 bytes long
        ...["-c", `recovery_min_apply_delay=${REPLAY_DELAY}`],
      ],
      recordDir: join(dir, "run"),
      logFile: join(dir, "replica.log"),
      cwd: "/",
      ...user,
    });
    try {
      await untilListening(port, START_MS, child.exited);
    } catch (error) {
      await child.kill();
      throw error;
    }
    const own = new URL(url);
    own.port = String(port);
    return new Replica(own.toString(), data, child, bin);
  }

  /** From now on the primary reports a commit only once the replica has written it to its disk. */
  async followSynchronously(primary: Db): Promise<void> {
    await until("the replica to stream", async () => (await states(primary)) !== "", SYNC_MS);
    await primary.run(`ALTER SYSTEM SET synchronous_standby_names = '${NAME}'`);
    await primary.run("SELECT pg_reload_conf()");
    await until(
      "the replica to be synchronous",
      async () => (await states(primary)) === "sync",
      SYNC_MS,
    );
  }

  /** Once it streams, it receives nothing more: from now on it lags. */
  async stopFollowing(primary: Db): Promise<void> {
    await until("the replica to stream", async () => (await states(primary)) !== "", SYNC_MS);
    const work = async (own: Db) => {
      await own.run("ALTER SYSTEM SET primary_conninfo = ''");
      await own.run("SELECT pg_reload_conf()");
    };
    await asked(this.url, work);
    await until("the replica to be cut off", async () => (await states(primary)) === "", SYNC_MS);
  }

  /** The replica becomes a primary and stops, so that its data can be moved. */
  async promote(): Promise<void> {
    const promote = Bun.spawn([join(this.bin, "pg_ctl"), "promote", "-D", this.data, "-w"], {
      ...accountOf(),
      cwd: "/",
      stdout: "ignore",
      stderr: "pipe",
      timeout: START_MS,
    });
    if ((await promote.exited) !== 0)
      throw new Error(`pg_ctl promote: ${await new Response(promote.stderr).text()}`);
    await this.child.stop("SIGINT");
  }

  /** The new primary waits for no replica. */
  async alone(primary: Db): Promise<void> {
    await primary.run("ALTER SYSTEM RESET ALL");
    await primary.run("SELECT pg_reload_conf()");
  }

  end(): Promise<void> {
    return this.child.kill();
  }
}

/** Work on a database with a connection of its own, once the server takes one. */
export async function asked<T>(url: string, work: (db: Db) => Promise<T>): Promise<T> {
  const db = await until("Postgres is up", () => opened(url), START_MS);
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}

/** A server that starts refuses connections while it recovers. */
async function opened(url: string): Promise<Db | undefined> {
  const db = await Db.open(realRuntime, url);
  try {
    await db.run("SELECT 1");
    return db;
  } catch (error) {
    await db.close();
    if (error instanceof LedgerUnavailable && error.state === "restarting") return undefined;
    throw error;
  }
}

/** The server's data folder. */
export async function dataOf(db: Db): Promise<string> {
  const [row] = await db.run("SHOW data_directory");
  return String(row?.data_directory);
}

/** `sync`, `async`, or nothing while it does not stream. */
async function states(primary: Db): Promise<string> {
  const [row] = await primary.run(
    "SELECT sync_state FROM pg_stat_replication WHERE application_name = ? AND state = 'streaming'",
    [NAME],
  );
  return String(row?.sync_state ?? "");
}

/** Postgres refuses to run as root. */
function accountOf(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(Bun.spawnSync(["id", flag, "postgres"]).stdout.toString());
  return { uid: id("-u"), gid: id("-g") };
}
