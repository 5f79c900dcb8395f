// I1: a shard's journal is an unbroken chain up to the entry that the ledger says it recorded last.
import type { Findings } from "../findings.ts";
import type { DecodedEntry } from "../journal.ts";

/** The predecessor that the first entry of a shard names. */
const START = "genesis";

interface Position {
  readonly lastId: string;
  readonly lastN: number;
}

export class ChainCheck {
  private id = START;
  private n = 0;

  constructor(
    private readonly shard: number,
    private readonly findings: Findings,
  ) {}

  entry(entry: DecodedEntry): void {
    if (entry.n !== this.n + 1)
      this.broken(
        "an entry's number does not follow the last",
        `${this.shard}-${entry.n} after ${this.n}`,
      );
    if (entry.prev !== this.id)
      this.broken("an entry does not follow the one before it", `${this.shard}-${entry.n}`);
    this.id = entry.id;
    this.n = entry.n;
  }

  /** The ledger's position from the same look. */
  end({ lastId, lastN }: Position): void {
    if (lastN !== this.n || lastId !== this.id)
      this.broken(
        "the ledger's position is not its last entry",
        `shard ${this.shard}: ${lastN}, journal ${this.n}`,
      );
  }

  private broken(what: string, example: string): void {
    this.findings.violation("I1", what, example);
  }
}
