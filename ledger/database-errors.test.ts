// A real Postgres in every state in which it refuses to serve.
import { afterEach, expect, test } from "bun:test";
import { SQL } from "bun";
import { realRuntime } from "../core/runtime/runtime.ts";
import { type PrivatePostgres, startPostgres } from "../services/postgres.ts";
import { emptyDatabase, testDir } from "../test/services.ts";
import { until } from "../test/until.ts";
import type { Ledger } from "./contract.ts";
import { LedgerUnavailable } from "./db.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { SHARDS } from "./test-entries.ts";

const LIMIT_MS = 90_000;

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of undo.splice(0).reverse()) await close();
}, LIMIT_MS);

async function opened(url: string) {
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  const writer = await openLedgerWriter(realRuntime, url);
  undo.push(
    () => ledger.close(),
    () => writer.close(),
  );
  return { ledger, writer };
}

function operator(url: string): SQL {
  const sql = new SQL({ url, max: 1 });
  undo.push(() => sql.close({ timeout: 0 }));
  return sql;
}

/** Database, and a user of it that owns nothing else. */
async function limited(): Promise<{ admin: SQL; url: string; role: string }> {
  const url = await emptyDatabase();
  const admin = operator(url);
  const role = `limited_${new URL(url).pathname.slice(1)}`;
  await admin.unsafe(`CREATE ROLE ${role} LOGIN`);
  await admin.unsafe(`GRANT ALL ON SCHEMA public TO ${role}`);
  return { admin, role, url: url.replace("//sluice@", `//${role}@`) };
}

const stateOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "up",
    (error) => (error instanceof LedgerUnavailable ? error.state : error),
  );

async function untilUp(ledger: Ledger): Promise<void> {
  await until("it serves", async () => (await stateOf(ledger.positions())) === "up");
}

test(
  "a user whose permission is withdrawn is shown so, and serves with it again",
  async () => {
    const { admin, url, role } = await limited();
    const { ledger, writer } = await opened(url);
    await admin.unsafe(`REVOKE ALL ON shards FROM ${role}`);
    expect(await stateOf(ledger.positions())).toBe("no_permission");
    expect(await stateOf(writer.takeShard(0, "w"))).toBe("no_permission");
    await admin.unsafe(`GRANT ALL ON shards TO ${role}`);
    await untilUp(ledger);
    expect((await writer.takeShard(0, "w")).epoch).toBe(1);
  },
  LIMIT_MS,
);

test(
  "too many clients are waited for; a start says so, and names the setting",
  async () => {
    const { admin, url, role } = await limited();
    await (await openLedger({ runtime: realRuntime, url, shards: SHARDS })).close();
    await admin.unsafe(`ALTER ROLE ${role} CONNECTION LIMIT 0`);
    const error = await openLedger({ runtime: realRuntime, url, shards: SHARDS }).catch((e) => e);
    expect(error).toBeInstanceOf(LedgerUnavailable);
    expect(error.message).toContain("SLUICE_LEDGER_URL");
    expect(error.state).toBe("too_many_clients");
    const writer = await openLedgerWriter(realRuntime, url);
    undo.push(() => writer.close());
    expect(await stateOf(writer.takeShard(0, "w"))).toBe("too_many_clients");
    await admin.unsafe(`ALTER ROLE ${role} CONNECTION LIMIT 10`);
    await until("it serves", async () => (await stateOf(writer.takeShard(0, "w"))) === "up");
  },
  LIMIT_MS,
);

test(
  "a Postgres that takes no writes any more is shown as read-only and dialled again; one that " +
    "restarts is dialled until it serves",
  async () => {
    const dir = testDir("own-postgres", 0o755);
    let server: PrivatePostgres = await startPostgres(dir);
    undo.push(() => server.kill());
    const { port } = server;
    const url = server.url("postgres");
    await until("it is up", async () => (await stateOf(tryOpen(url))) === "up");
    const { ledger, writer } = await opened(url);
    await Promise.all([writer.takeShard(0, "w"), ledger.positions()]);

    const admin = operator(url);
    const before = await clients(admin);
    expect(before.length).toBeGreaterThan(0);
    await setReadOnly(admin, "on");
    await until("it is read-only", async () => (await stateOf(ledger.positions())) === "read_only");
    expect(await stateOf(writer.takeShard(0, "w"))).toBe("read_only");
    const dropped = async () => (await clients(admin)).every((pid) => !before.includes(pid));
    await until("the old connections are dropped", dropped);
    await setReadOnly(admin, "off");
    await untilUp(ledger);
    expect((await writer.takeShard(0, "w")).epoch).toBe(2);

    await server.stop();
    const gone = ["away", "restarting"];
    expect(gone).toContain(String(await stateOf(writer.takeShard(0, "w"))));
    expect(gone).toContain(String(await stateOf(ledger.positions())));
    server = await startPostgres(dir, port);
    await untilUp(ledger);
    await until("it writes", async () => (await stateOf(writer.takeShard(0, "w"))) === "up");
  },
  LIMIT_MS,
);

/** The server processes of clients other than the operator. */
async function clients(admin: SQL): Promise<number[]> {
  const rows: { pid: number }[] = await admin.unsafe(`SELECT pid FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`);
  return rows.map(({ pid }) => pid);
}

/** Of every session's next transaction, as a failed-over primary has it. */
async function setReadOnly(admin: SQL, value: "on" | "off"): Promise<void> {
  await admin.unsafe(`ALTER SYSTEM SET default_transaction_read_only = ${value}`);
  await admin.unsafe("SELECT pg_reload_conf()");
}

async function tryOpen(url: string): Promise<void> {
  await (await openLedger({ runtime: realRuntime, url, shards: SHARDS })).close();
}
