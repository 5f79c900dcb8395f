// Hangs a ledger's thread on its first call; a marker file beside the ledger shows that it has.
import { existsSync, writeFileSync } from "node:fs";

declare const self: Worker;
type Handler = (event: MessageEvent) => void;

export function hangFirst(): void {
  const real = self.onmessage as unknown as Handler;
  let marker = "";
  self.onmessage = (event: MessageEvent<{ open?: { url: string } }>) => {
    const open = event.data.open?.url;
    if (open !== undefined) marker = `${open.slice("sqlite:".length)}.hung`;
    if (open !== undefined || existsSync(marker)) return real(event);
    writeFileSync(marker, "");
    // Blocks the thread itself, as a hanging disk would.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
}
