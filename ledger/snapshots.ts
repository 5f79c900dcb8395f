// What a shard's journal comes to at one of its entries, so that a rebuild need not read it from
// the start. A snapshot is made of chunks and a head; the head is written last, and says how many
// chunks there are and what they hash to. What is in the chunks is for consumers/rebuild/snapshot.ts to
// know. Nothing rests on a snapshot: without a sound one the journal is read from further back.
import type { EntryId } from "../core/domain/entry.ts";
import type { Db } from "./db.ts";

export interface SnapshotHead {
  readonly shard: number;
  /** The last entry it holds, and that entry's id. */
  readonly n: number;
  readonly id: EntryId;
  readonly version: number;
  readonly chunks: number;
  readonly checksum: string;
  /** When that entry was decided, Redis's clock. */
  readonly atMs: number;
  /** Sales of which something was open. */
  readonly openSales: readonly string[];
  /** Whether the journal has an entry of this number and id. */
  readonly inChain: boolean;
}

/** Kept per shard: the newest, and the one before in case that one is damaged. */
const KEPT = 2;

export async function snapshotHeads(db: Db, shard: number): Promise<SnapshotHead[]> {
  const rows = await db.run(
    `SELECT s.n, s.id, s.version, s.chunks, s.checksum, s.at_ms, s.open_sales, e.id AS entry_id
     FROM snapshots s LEFT JOIN entries e ON e.shard = s.shard AND e.n = s.n
     WHERE s.shard = ? ORDER BY s.n DESC`,
    [shard],
  );
  return rows.map(({ n, id, version, chunks, checksum, at_ms, open_sales, entry_id }) => ({
    shard,
    n: Number(n),
    id: String(id),
    version: Number(version),
    chunks: Number(chunks),
    checksum: String(checksum),
    atMs: Number(at_ms),
    openSales: JSON.parse(String(open_sales)) as string[],
    inChain: entry_id === id,
  }));
}

/** The chunks of a snapshot, if they are all there and hash to what the head says. */
export async function snapshotChunks(db: Db, head: SnapshotHead): Promise<string[] | undefined> {
  const hash = new Bun.CryptoHasher("sha256");
  const bodies: string[] = [];
  // One by one: a chunk is some hundred kilobytes, and whoever reads them has other things to do in
  // between.
  for (let chunk = 0; chunk < head.chunks; chunk++) {
    const [row] = await db.run(
      "SELECT body FROM snapshot_chunks WHERE shard = ? AND n = ? AND chunk = ?",
      [head.shard, head.n, chunk],
    );
    if (!row) return undefined;
    const body = String(row.body);
    hash.update(body);
    bodies.push(body);
  }
  return hash.digest("hex") === head.checksum ? bodies : undefined;
}

/**
 * Writes a snapshot chunk by chunk, so that no transaction of the ledger's writer waits long for
 * it.
 */
export class SnapshotWriter {
  private readonly hash = new Bun.CryptoHasher("sha256");
  private chunks = 0;

  private constructor(
    private readonly db: Db,
    private readonly shard: number,
    private readonly n: number,
  ) {}

  /** Clears away what a writer that died has left. */
  static async begin(db: Db, shard: number, n: number): Promise<SnapshotWriter> {
    await db.run(
      `DELETE FROM snapshot_chunks WHERE shard = ?
       AND n NOT IN (SELECT n FROM snapshots WHERE shard = ?)`,
      [shard, shard],
    );
    return new SnapshotWriter(db, shard, n);
  }

  async add(body: string): Promise<void> {
    this.hash.update(body);
    await this.db.run("INSERT INTO snapshot_chunks (shard, n, chunk, body) VALUES (?, ?, ?, ?)", [
      ...[this.shard, this.n, this.chunks++, body],
    ]);
  }

  /** From here on it counts; older ones go. */
  async finish(head: Pick<SnapshotHead, "id" | "version" | "atMs" | "openSales">): Promise<void> {
    const { shard, n, chunks } = this;
    const columns = "shard, n, id, version, chunks, checksum, at_ms, open_sales";
    await this.db.run(`INSERT INTO snapshots (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, [
      ...[shard, n, head.id, head.version, chunks, this.hash.digest("hex"), head.atMs],
      JSON.stringify(head.openSales),
    ]);
    const kept = "SELECT n FROM snapshots WHERE shard = ? ORDER BY n DESC LIMIT ?";
    await this.db.run(`DELETE FROM snapshots WHERE shard = ? AND n NOT IN (${kept})`, [
      ...[shard, shard, KEPT],
    ]);
    await this.db.run(
      `DELETE FROM snapshot_chunks WHERE shard = ?
       AND n NOT IN (SELECT n FROM snapshots WHERE shard = ?)`,
      [shard, shard],
    );
  }
}
