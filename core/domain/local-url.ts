/**
 * Where a process of this machine reaches a server by the address that it listens on: one that
 * stands for all addresses is asked for on loopback.
 */
export function localUrl(host: string, port: number): string {
  const asked = host === "0.0.0.0" || host === "" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${asked.includes(":") ? `[${asked}]` : asked}:${port}`;
}
