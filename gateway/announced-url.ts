// The address under which a gateway lists itself, by which the command line finds it.
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * A gateway that listens on all addresses, as in a container, is announced with one that other
 * machines reach: 0.0.0.0 would lead whoever asks to themselves.
 */
export function announcedUrl(
  listens: string,
  interfaces: Interfaces = networkInterfaces(),
): string {
  const url = new URL(listens);
  if (url.hostname !== "0.0.0.0" && url.hostname !== "[::]") return listens;
  const outer = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"));
  const chosen = outer.find(({ family }) => family === "IPv4") ?? outer[0];
  if (!chosen) return `http://127.0.0.1:${url.port}`;
  const host = chosen.family === "IPv6" ? `[${chosen.address}]` : chosen.address;
  return `http://${host}:${url.port}`;
}
