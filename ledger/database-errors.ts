// What Sluice does about each class of error of Postgres, by its SQLSTATE, and of SQLite, by its
// result code, never by its text. The treatments are those of Redis's error replies
// (core/stores/error-replies.ts):
//
//   wait     Postgres will serve by itself. The call fails as unavailable and is made again later.
//   redial   This server does not serve: it restarts, or has become a replica. All connections are
//            dropped and opened again.
//   refuse   An operator must change the settings or the database. A role that starts exits and
//            names the reason; one that runs waits.
//
// Violated constraints and impossible values (classes 22 and 23) blame the data (db.ts). SQLite has
// no server to reconnect to.

export type Treatment = "wait" | "redial" | "refuse";

export interface DatabaseTrouble {
  readonly treatment: Treatment;
  /** Shown in readiness. */
  readonly state: string;
}

/** By SQLSTATE, or by its first two characters, the class. The whole code goes first. */
export const DATABASE_TROUBLES: Readonly<Record<string, DatabaseTrouble>> = {
  "08": { treatment: "redial", state: "away" },
  "25006": { treatment: "redial", state: "read_only" },
  "28": { treatment: "refuse", state: "wrong_password" },
  "3D": { treatment: "refuse", state: "no_database" },
  "40": { treatment: "wait", state: "busy" },
  "42501": { treatment: "refuse", state: "no_permission" },
  "53100": { treatment: "wait", state: "disk_full" },
  "53200": { treatment: "wait", state: "full" },
  "53300": { treatment: "wait", state: "too_many_clients" },
  "53": { treatment: "wait", state: "full" },
  "55": { treatment: "wait", state: "busy" },
  "57P01": { treatment: "redial", state: "restarting" },
  "57P02": { treatment: "redial", state: "restarting" },
  "57P03": { treatment: "redial", state: "restarting" },
  "57": { treatment: "wait", state: "busy" },
  "58": { treatment: "wait", state: "disk_failed" },
};

/** By SQLite's primary result code. */
export const SQLITE_TROUBLES: ReadonlyMap<number, DatabaseTrouble> = new Map([
  [3, { treatment: "refuse", state: "no_permission" }], // PERM
  [5, { treatment: "wait", state: "busy" }], // BUSY
  [6, { treatment: "wait", state: "busy" }], // LOCKED
  [7, { treatment: "wait", state: "full" }], // NOMEM
  [8, { treatment: "refuse", state: "read_only" }], // READONLY
  [10, { treatment: "wait", state: "disk_failed" }], // IOERR
  [11, { treatment: "refuse", state: "damaged" }], // CORRUPT
  [13, { treatment: "wait", state: "disk_full" }], // FULL
  [14, { treatment: "refuse", state: "no_database" }], // CANTOPEN
  [15, { treatment: "wait", state: "busy" }], // PROTOCOL: locking
  [23, { treatment: "refuse", state: "no_permission" }], // AUTH
  [26, { treatment: "refuse", state: "damaged" }], // NOTADB
]);

/** SQLite's primary result code: the low byte of an extended one. */
export function sqliteCode(error: unknown): number | undefined {
  const { name, code, errno } = (error ?? {}) as { name?: string; code?: unknown; errno?: unknown };
  const own = name === "SQLiteError" || (typeof code === "string" && code.startsWith("SQLITE_"));
  return own && typeof errno === "number" ? errno & 0xff : undefined;
}

/** The client's own codes: there is no connection. It connects again by itself. */
const WITHOUT_CONNECTION: ReadonlySet<unknown> = new Set([
  "ERR_POSTGRES_CONNECTION_CLOSED",
  "ERR_POSTGRES_CONNECTION_REFUSED",
  "ERR_POSTGRES_CONNECTION_TIMEOUT",
  "ERR_POSTGRES_IDLE_TIMEOUT",
  "ERR_POSTGRES_LIFETIME_TIMEOUT",
]);
const AWAY: DatabaseTrouble = { treatment: "wait", state: "away" };

/** undefined: not an error of a database, or one that blames the statement. */
export function databaseTrouble(error: unknown): DatabaseTrouble | undefined {
  const sqlite = sqliteCode(error);
  if (sqlite !== undefined) return SQLITE_TROUBLES.get(sqlite);
  const { errno, code } = (error ?? {}) as { errno?: unknown; code?: unknown };
  if (WITHOUT_CONNECTION.has(code)) return AWAY;
  if (typeof errno !== "string") return undefined;
  return DATABASE_TROUBLES[errno] ?? DATABASE_TROUBLES[errno.slice(0, 2)];
}

/** What Postgres would say of a statement that writes. */
export class ReadOnly extends Error {
  readonly errno = "25006";
}
