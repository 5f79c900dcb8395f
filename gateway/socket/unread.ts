// What clients have not read, in all: the bytes of each socket are bounded, and so is their sum,
// since one user may have many sockets. While the sum is above its bound, a socket may keep little.

/** Of a socket while all of them together have too much. A client that reads stays below. */
const MODEST_BYTES = 64 * 1024;

export class Unread {
  private readonly bySocket = new Map<object, number>();
  private total = 0;

  constructor(private readonly most: { readonly ofSocket: number; readonly inAll: number }) {}

  get bytes(): number {
    return this.total;
  }

  /** Notes what a socket has now; returns whether that is too much. */
  note(socket: object, bytes: number): boolean {
    this.total += bytes - (this.bySocket.get(socket) ?? 0);
    if (bytes > 0) this.bySocket.set(socket, bytes);
    else this.bySocket.delete(socket);
    const { ofSocket, inAll } = this.most;
    return bytes > (this.total > inAll ? Math.min(MODEST_BYTES, ofSocket) : ofSocket);
  }
}
