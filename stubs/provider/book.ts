// The stub's record of every charge and refund: lines of JSON, appended and synced before any
// answer. `verify` compares the ledger with it, so it shares nothing with Sluice but the keys it
// received.
import { existsSync, readFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { Behaviour } from "./behaviour.ts";

export type ChargeStatus = "captured" | "declined" | "pending";
export type RefundStatus = "none" | "pending" | "refused" | "refunded";

export interface Charge {
  readonly key: string;
  readonly order: string;
  readonly amount: number;
  readonly currency: string;
  /** The behaviour it was served with. */
  readonly behaviour: Behaviour;
  status: ChargeStatus;
  refund: RefundStatus;
  /** The money was returned. */
  refunded: boolean;
  /** Minor units refunded; all or nothing. */
  refundedAmount: number;
  /** `request`: Sluice asked for it. `provider`: the provider refunded unasked. */
  refundedBy?: "request" | "provider";
  disputed: boolean;
}

type NewCharge = Pick<Charge, "key" | "order" | "amount" | "currency" | "status" | "behaviour">;

type Line =
  | ({ readonly t: "charge" } & NewCharge)
  | { readonly t: "settle"; readonly key: string; readonly status: "captured" | "declined" }
  | {
      readonly t: "refund";
      readonly key: string;
      readonly amount: number;
      readonly by: "request" | "provider";
    }
  | { readonly t: "refund_pending" | "refund_refused" | "dispute"; readonly key: string };

export class Book {
  readonly charges = new Map<string, Charge>();
  private waiting = "";
  private syncing: Promise<void> | undefined;

  private constructor(private readonly file: Pick<FileHandle, "write" | "datasync" | "close">) {}

  /** Without a file: for a provider that is part of a simulation and never restarts. */
  static inMemory(): Book {
    const done = async () => undefined as never;
    return new Book({ write: done, datasync: done, close: done });
  }

  static async open(path: string): Promise<Book> {
    const lines = existsSync(path) ? readFileSync(path, "utf8") : "";
    const book = new Book(await open(path, "a", 0o600));
    // A line cut off by a crash was never answered.
    for (const text of lines.slice(0, lines.lastIndexOf("\n") + 1).split("\n"))
      if (text !== "") book.apply(JSON.parse(text) as Line);
    if (lines !== "" && !lines.endsWith("\n")) await book.file.write("\n");
    return book;
  }

  /** Opens a charge, unless its key has one. Every change resolves once it is on disk. */
  async charge(charge: NewCharge): Promise<Charge> {
    if (!this.charges.has(charge.key)) await this.write({ t: "charge", ...charge });
    return this.charges.get(charge.key) as Charge;
  }

  /** Settles a pending charge. */
  settle(key: string, status: "captured" | "declined"): Promise<void> {
    return this.write({ t: "settle", key, status });
  }

  refund({ key, amount }: Charge, by: "request" | "provider"): Promise<void> {
    return this.write({ t: "refund", key, amount, by });
  }

  refundPending(key: string): Promise<void> {
    return this.write({ t: "refund_pending", key });
  }

  refuseRefund(key: string): Promise<void> {
    return this.write({ t: "refund_refused", key });
  }

  dispute(key: string): Promise<void> {
    return this.write({ t: "dispute", key });
  }

  async close(): Promise<void> {
    await this.syncing;
    await this.file.close();
  }

  private write(line: Line): Promise<void> {
    this.apply(line);
    // While one sync runs, the lines of the next accumulate; that one was ordered by the first.
    const first = this.waiting === "";
    this.waiting += `${JSON.stringify(line)}\n`;
    if (first || !this.syncing)
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
      const { t: _, ...charge } = line;
      const untouched = {
        refund: "none",
        refunded: false,
        refundedAmount: 0,
        disputed: false,
      } as const;
      this.charges.set(charge.key, { ...charge, ...untouched });
      return;
    }
    const charge = this.charges.get(line.key);
    if (!charge) return;
    switch (line.t) {
      case "settle":
        charge.status = line.status;
        break;
      case "refund":
        charge.refund = "refunded";
        charge.refunded = true;
        charge.refundedAmount = line.amount;
        charge.refundedBy = line.by;
        break;
      case "refund_pending":
        charge.refund = "pending";
        break;
      case "refund_refused":
        charge.refund = "refused";
        break;
      case "dispute":
        charge.disputed = true;
        break;
    }
  }
}
