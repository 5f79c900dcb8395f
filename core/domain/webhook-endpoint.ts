// A receiver of the events of orders, as an operator registers it.
import { BlockList, isIP } from "node:net";
import { FEED_TYPES, type FeedType } from "./feed-event.ts";

export interface WebhookEndpoint {
  readonly id: string;
  readonly url: string;
  /** Empty: all. */
  readonly types: readonly FeedType[];
  readonly createdAtMs: number;
  readonly createdBy: string;
  /** undefined: it is active. `by`: an operator, or `sluice`. */
  readonly paused: { readonly atMs: number; readonly by: string; readonly why: string } | undefined;
  /** Since when no delivery has succeeded; 0: the last one did. */
  readonly failingSinceMs: number;
  readonly lastError: string;
  /** 0: none yet. */
  readonly lastSuccessMs: number;
  /** Events that wait for another try, or for an earlier one of their order. */
  readonly held: number;
}

export const MAX_ENDPOINTS = 100;
const MAX_URL = 2_000;

/** Why no endpoint may have this URL; undefined: it may. */
export function flawOfUrl(text: string, privateAllowed: boolean): string | undefined {
  if (text.length > MAX_URL) return `at most ${MAX_URL} characters`;
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return "a URL that begins with https:";
  }
  if (url.protocol !== "https:" && !(privateAllowed && url.protocol === "http:"))
    return privateAllowed
      ? "a URL that begins with https: or http:"
      : "a URL that begins with https: (http: needs SLUICE_WEBHOOK_PRIVATE=allow)";
  if (url.username !== "" || url.password !== "") return "a URL without a user or password";
  if (url.hash !== "") return "a URL without a fragment";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (!privateAllowed && (isIP(host) ? isPrivateAddress(host) : /(^|\.)localhost$/.test(host)))
    return "a public address (private ones need SLUICE_WEBHOOK_PRIVATE=allow)";
  return undefined;
}

export function isFeedType(text: string): text is FeedType {
  return (FEED_TYPES as readonly string[]).includes(text);
}

/** Addresses that are not on the public internet, by IANA's registries of special ones. */
const PRIVATE = new BlockList();
for (const [net, bits] of [
  ...([
    ["0.0.0.0", 8],
    ["10.0.0.0", 8],
    ["100.64.0.0", 10],
    ["127.0.0.0", 8],
  ] as const),
  ...([
    ["169.254.0.0", 16],
    ["172.16.0.0", 12],
    ["192.0.0.0", 24],
    ["192.0.2.0", 24],
  ] as const),
  ...([
    ["192.88.99.0", 24],
    ["192.168.0.0", 16],
    ["198.18.0.0", 15],
    ["198.51.100.0", 24],
  ] as const),
  ...([
    ["203.0.113.0", 24],
    ["224.0.0.0", 4],
    ["240.0.0.0", 4],
  ] as const),
])
  PRIVATE.addSubnet(net, bits, "ipv4");
/** All that is not global unicast, and the parts of it that embed or document addresses. */
const PUBLIC_V6 = new BlockList();
PUBLIC_V6.addSubnet("2000::", 3, "ipv6");
for (const [net, bits] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const)
  PRIVATE.addSubnet(net, bits, "ipv6");

export function isPrivateAddress(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return isPrivateAddress(mapped);
  if (isIP(address) === 4) return PRIVATE.check(address, "ipv4");
  return !PUBLIC_V6.check(address, "ipv6") || PRIVATE.check(address, "ipv6");
}
