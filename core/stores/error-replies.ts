// What Sluice does about each class of error reply of Redis. Only the reply's code decides, its
// first word, never its text.
//
//   wait     Redis will serve this connection again by itself. The call fails as unavailable, and
//            its caller asks again at its next turn.
//   redial   The connection leads to a server that does not serve, such as an old primary after a
//            failover. It is dropped and opened again.
//   refuse   An operator must change the settings or Redis. A role that starts exits and names the
//            reason; one that runs waits.
//
// Any other reply means that the call itself was wrong. No reply halts Sluice: only the ledger's
// findings do. A Redis that has no room for another connection closes it without a reply that can
// be read; the connection is opened again after a growing pause.
import { ReplyError } from "ioredis";

export type Treatment = "wait" | "redial" | "refuse";

export interface ErrorReply {
  readonly treatment: Treatment;
  /** Shown in readiness. */
  readonly state: string;
}

export const ERROR_REPLIES: Readonly<Record<string, ErrorReply>> = {
  BUSY: { treatment: "wait", state: "busy" },
  CLUSTERDOWN: { treatment: "wait", state: "cluster_down" },
  LOADING: { treatment: "wait", state: "loading" },
  MISCONF: { treatment: "wait", state: "disk_failed" },
  NOREPLICAS: { treatment: "wait", state: "no_replicas" },
  OOM: { treatment: "wait", state: "full" },
  TRYAGAIN: { treatment: "wait", state: "cluster_moves" },

  MASTERDOWN: { treatment: "redial", state: "primary_down" },
  READONLY: { treatment: "redial", state: "read_only" },
  UNBLOCKED: { treatment: "redial", state: "read_only" },

  ASK: { treatment: "refuse", state: "is_cluster" },
  CROSSSLOT: { treatment: "refuse", state: "is_cluster" },
  DENIED: { treatment: "refuse", state: "protected" },
  MOVED: { treatment: "refuse", state: "is_cluster" },
  NOAUTH: { treatment: "refuse", state: "wrong_password" },
  NOPERM: { treatment: "refuse", state: "no_permission" },
  WRONGPASS: { treatment: "refuse", state: "wrong_password" },
};

/** undefined: not a reply, or one that blames the call. */
export function errorReply(error: unknown): ErrorReply | undefined {
  return isReply(error) ? ERROR_REPLIES[codeOf(error)] : undefined;
}

/** ioredis exports the class, but not its type. */
export const isReply = (error: unknown): error is Error => error instanceof ReplyError;

/** The first word. */
export function codeOf({ message }: Error): string {
  return message.split(" ", 1)[0] ?? "";
}

/** How long a state counts after it was last seen: each caller asks again within a second. */
const CURRENT_MS = 5_000;

/**
 * What Redis's last error replies say about it. A call that succeeds clears what it met before,
 * and only that: a replica answers reads, and permissions differ from call to call.
 */
export class Troubles {
  /** By call. There are as many as functions in the library, and one for plain commands. */
  private readonly met = new Map<string, { readonly state: string; readonly atMs: number }>();

  constructor(private readonly nowMs: () => number) {}

  failed(call: string, { state }: ErrorReply): void {
    this.met.set(call, { state, atMs: this.nowMs() });
  }

  succeeded(call: string): void {
    if (this.met.size > 0) this.met.delete(call);
  }

  /** The latest state that still counts. */
  get state(): string | undefined {
    const sinceMs = this.nowMs() - CURRENT_MS;
    const current = [...this.met.values()].filter(({ atMs }) => atMs >= sinceMs);
    return current.sort((a, b) => b.atMs - a.atMs)[0]?.state;
  }
}
