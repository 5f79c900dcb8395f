// Where a request came from. X-Forwarded-For is trusted only as far as trusted proxies wrote it:
// from the right, up to the first address that is not a trusted proxy.
import { BlockList, isIP } from "node:net";
import { at } from "../../core/domain/at.ts";

export class ClientAddress {
  private readonly trusted = new BlockList();

  /** Addresses or CIDR blocks of proxies. Throws on anything else. */
  constructor(proxies: readonly string[]) {
    for (const proxy of proxies) {
      const [address = "", bits] = proxy.split("/");
      const family = familyOf(address);
      if (!family)
        throw new Error(`trusted proxy '${proxy}' is neither an address nor a CIDR block`);
      if (bits === undefined) this.trusted.addAddress(address, family);
      else this.trusted.addSubnet(address, Number(bits), family);
    }
  }

  of(peer: string, forwardedFor: string | null | undefined): string {
    const chain = [...(forwardedFor ?? "").split(",").map((a) => a.trim()), peer];
    let client = peer;
    for (let i = chain.length - 1; i >= 0; i--) {
      const address = at(chain, i);
      const family = familyOf(address);
      if (!family) break;
      client = address;
      if (!this.trusted.check(address, family)) break;
    }
    return client;
  }
}

function familyOf(address: string): "ipv4" | "ipv6" | undefined {
  const version = isIP(address);
  return version === 0 ? undefined : version === 4 ? "ipv4" : "ipv6";
}
