// The state that a shard's journal leads to at one of its entries, so a rebuild need not read it
// from the start. A snapshot has chunks and a head. The head is written last, with the number of
// chunks and their hash. Only consumers/rebuild/snapshot.ts knows what is in the chunks. Snapshots
// are optional: without a sound one, a rebuild reads more of the journal.
import type { EntryId } from "../core/domain/entry.ts";
import { type Db, insertRow } from "./db.ts";

export interface SnapshotHead {
  readonly shard: number;
  /** The last entry it includes, and that entry's id. */
  readonly n: number;
  readonly id: EntryId;
  readonly version: number;
  readonly chunks: number;
  readonly checksum: string;
  /** When that entry was decided, Redis's clock, Unix ms. */
  readonly atMs: number;
  /** Sales that had something open. */
  readonly openSales: readonly string[];
  /** Whether the journal has an entry of this number and id. */
  readonly inChain: boolean;
}

/** Snapshots kept per shard: the newest, and the one before in case that is damaged. */
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

/** The chunks of a snapshot; undefined if any is missing or their hash differs from the head. */
export async function snapshotChunks(db: Db, head: SnapshotHead): Promise<string[] | undefined> {
  const hash = new Bun.CryptoHasher("sha256");
  const bodies: string[] = [];
  // One by one: a chunk is some hundred kilobytes, and the caller has work to do in between.
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

/** Writes a snapshot chunk by chunk, so the ledger's writer never waits long for it. */
export class SnapshotWriter {
  private readonly hash = new Bun.CryptoHasher("sha256");
  private chunks = 0;

  private constructor(
    private readonly db: Db,
    private readonly shard: number,
    private readonly n: number,
  ) {}

  /** Starts a snapshot, and deletes the chunks that a killed writer left. */
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
    const chunk = this.chunks++;
    await insertRow(this.db, "snapshot_chunks", { shard: this.shard, n: this.n, chunk, body });
  }

  /** Makes the snapshot valid, and deletes older ones. */
  async finish(head: Pick<SnapshotHead, "id" | "version" | "atMs" | "openSales">): Promise<void> {
    const { shard, n, chunks } = this;
    const { id, version, atMs, openSales } = head;
    await insertRow(this.db, "snapshots", {
      ...{ shard, n, id, version, chunks, checksum: this.hash.digest("hex") },
      ...{ at_ms: atMs, open_sales: JSON.stringify(openSales) },
    });
    const kept = "SELECT n FROM snapshots WHERE shard = ? ORDER BY n DESC LIMIT ?";
    const stale = `DELETE FROM snapshots WHERE shard = ? AND n NOT IN (${kept})`;
    await this.db.run(stale, [shard, shard, KEPT]);
    await this.db.run(
      `DELETE FROM snapshot_chunks WHERE shard = ?
       AND n NOT IN (SELECT n FROM snapshots WHERE shard = ?)`,
      [shard, shard],
    );
  }
}
