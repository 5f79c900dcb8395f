// Sockets that have not presented a token, oldest first. Nobody knows who they are, so they are
// bounded, in all and by address, and the oldest makes room for the newest: a browser that is about
// to send its token is never refused for those that never will.
import type { Socket } from "./socket.ts";

export class Strangers {
  private readonly all = new Set<Socket>();
  private readonly byAddress = new Map<string, Set<Socket>>();

  constructor(private readonly most: { readonly inAll: number; readonly ofAddress: number }) {}

  get size(): number {
    return this.all.size;
  }

  /** Returns the sockets that must make room. */
  add(socket: Socket): readonly Socket[] {
    const same = this.byAddress.get(socket.address) ?? new Set();
    this.byAddress.set(socket.address, same);
    this.all.add(socket);
    same.add(socket);
    const leaving: Socket[] = [];
    for (const [sockets, most] of [
      [same, this.most.ofAddress],
      [this.all, this.most.inAll],
    ] as const) {
      const [oldest] = sockets;
      if (sockets.size <= most || oldest === undefined) continue;
      this.delete(oldest);
      leaving.push(oldest);
    }
    return leaving;
  }

  delete(socket: Socket): void {
    if (!this.all.delete(socket)) return;
    const same = this.byAddress.get(socket.address);
    same?.delete(socket);
    if (same?.size === 0) this.byAddress.delete(socket.address);
  }

  /** Oldest first; one that was deleted meanwhile is not seen. */
  [Symbol.iterator](): IterableIterator<Socket> {
    return this.all.values();
  }
}
