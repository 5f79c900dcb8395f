// The stub's own record of what it captured and refunded: lines of JSON, appended and synced before any answer. A provider's memory is
// what the proof compares the ledger with, so it shares nothing with Sluice but the keys it was given.
import { existsSync, readFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

export type ChargeStatus = "captured" | "declined" | "pending";

export interface Charge {
  readonly key: string;
  readonly order: string;
  readonly amount: number;
  readonly currency: string;
  status: ChargeStatus;
  refunded: boolean;
}

type Line =
  | {
      readonly t: "charge";
      readonly key: string;
      readonly order: string;
      readonly amount: number;
      readonly currency: string;
      readonly status: ChargeStatus;
    }
  | { readonly t: "settle"; readonly key: string; readonly status: "captured" | "declined" }
  | { readonly t: "refund"; readonly key: string };

export class Book {
  readonly charges = new Map<string, Charge>();
  private waiting = "";
  private syncing: Promise<void> | undefined;

  private constructor(private readonly file: FileHandle) {}

  static async open(path: string): Promise<Book> {
    const lines = existsSync(path) ? readFileSync(path, "utf8") : "";
    const book = new Book(await open(path, "a", 0o600));
    // A line cut short by a crash was never answered for.
    for (const text of lines.slice(0, lines.lastIndexOf("\n") + 1).split("\n"))
      if (text !== "") book.apply(JSON.parse(text) as Line);
    if (lines !== "" && !lines.endsWith("\n")) await book.file.write("\n");
    return book;
  }

  /** Opens a charge. Settles when it is on the disk. */
  charge(charge: Omit<Charge, "refunded">): Promise<void> {
    return this.write({ t: "charge", ...charge });
  }

  /** Ends a pending one. */
  settle(key: string, status: "captured" | "declined"): Promise<void> {
    return this.write({ t: "settle", key, status });
  }

  refund(key: string): Promise<void> {
    return this.write({ t: "refund", key });
  }

  async close(): Promise<void> {
    await this.syncing;
    await this.file.close();
  }

  private write(line: Line): Promise<void> {
    this.apply(line);
    this.waiting += `${JSON.stringify(line)}\n`;
    // While one sync runs, the lines of the next gather.
    this.syncing = (this.syncing ?? Promise.resolve()).then(() => this.sync());
    return this.syncing;
  }

  private async sync(): Promise<void> {
    const text = this.waiting;
    if (text === "") return;
    this.waiting = "";
    await this.file.write(text);
    await this.file.datasync();
  }

  private apply(line: Line): void {
    if (line.t === "charge") {
      const { key, order, amount, currency, status } = line;
      this.charges.set(key, { key, order, amount, currency, status, refunded: false });
      return;
    }
    const charge = this.charges.get(line.key);
    if (!charge) return;
    if (line.t === "settle") charge.status = line.status;
    else charge.refunded = true;
  }
}
