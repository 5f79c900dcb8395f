// Parse a setting's text into its value. Each error names the variable and states what is allowed.
import { maskedUrl } from "../domain/masked.ts";
import { isWebhookSecret } from "../domain/webhook-signature.ts";

/** An invalid setting; the message names it and states what is allowed. */
export class SettingError extends Error {
  override name = "SettingError";
}

export const text = (value: string): string => value;
export const list = (value: string): readonly string[] =>
  value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

export function whole(least: number, most: number) {
  return (value: string, variable: string): number => {
    const n = Number(value);
    if (!Number.isInteger(n) || n < least || n > most)
      throw new SettingError(
        `${variable} must be a whole number from ${least} to ${most}, not '${value}'`,
      );
    return n;
  };
}

export function oneOf<const T extends string>(...words: readonly T[]) {
  const read = (value: string, variable: string): T => {
    if (!words.includes(value as T))
      throw new SettingError(`${variable} must be one of ${words.join(", ")}, not '${value}'`);
    return value as T;
  };
  return Object.assign(read, { words });
}

/** `off`, or the result of `read`. */
export function offOr<T>(read: (text: string, variable: string) => T) {
  return (value: string, variable: string): T | undefined =>
    value === "off" ? undefined : read(value, variable);
}

const UNITS: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1, "": 1 };

/** In the largest unit that needs no fraction. */
export function durationText(ms: number): string {
  const [unit, each] = Object.entries(UNITS).find(([, e]) => ms >= e && ms % e === 0) ?? ["ms", 1];
  return `${ms / each}${unit}`;
}

/** `500ms`, `30s`, `10m`, `1h`; a bare number is milliseconds. */
export function duration(leastMs: number, mostMs: number) {
  return (value: string, variable: string): number => {
    const match = /^(\d+)(ms|s|m|h|)$/.exec(value);
    const ms = match ? Number(match[1]) * (UNITS[match[2] ?? ""] ?? 1) : Number.NaN;
    if (!(ms >= leastMs && ms <= mostMs))
      throw new SettingError(
        `${variable} must be a duration from ${leastMs} ms to ${mostMs} ms, such as 30s, ` +
          `not '${value}'`,
      );
    return ms;
  };
}

export function url(...schemes: readonly string[]) {
  return (value: string, variable: string): string => {
    const scheme = value.slice(0, value.indexOf(":"));
    if (!schemes.includes(scheme))
      throw new SettingError(
        `${variable} must be a URL that begins with ${schemes.map((s) => `${s}:`).join(" or ")}`,
      );
    return value;
  };
}

/** A page's address to link to, without a trailing slash; the link adds path and query. */
export function pageUrl(value: string, variable: string): string {
  const parsed = URL.parse(value);
  const plain = parsed && !parsed.username && !parsed.password && !/[?#]/.test(value);
  if (!plain || !/^https?:$/.test(parsed.protocol))
    throw new SettingError(
      `${variable} must be an address like https://grafana.example, with no user, query or #`,
    );
  return parsed.href.replace(/\/+$/, "");
}

/** Each one is tried for each webhook; two are enough while one replaces the other. */
const MAX_WEBHOOK_SECRETS = 4;

/** The error never repeats the value, which would end up in a log. */
export function webhookSecrets(value: string, variable: string): readonly string[] {
  const secrets = list(value);
  if (secrets.length > MAX_WEBHOOK_SECRETS || !secrets.every(isWebhookSecret))
    throw new SettingError(
      `${variable} must be up to ${MAX_WEBHOOK_SECRETS} secrets, separated by commas: ` +
        "whsec_ and base64, or plain text",
    );
  return secrets;
}

export interface RegionSetting {
  readonly name: string;
  readonly url: string;
  /** Other nodes of the region's cluster. */
  readonly others?: readonly string[];
}

/**
 * `eu=amqp://…,us=amqp://…`; the first is the home region. A cluster may name several nodes, with
 * the same user and virtual host: `eu=amqp://…|amqp://…`.
 */
export function regions(value: string, variable: string): readonly RegionSetting[] {
  const names = new Set<string>();
  return list(value).map((part) => {
    const at = part.indexOf("=");
    const [name, address] = [part.slice(0, at), part.slice(at + 1)];
    if (at < 1 || !/^[a-z][a-z0-9-]{0,31}$/.test(name))
      throw new SettingError(
        `${variable} must be name=amqp://…,name=amqp://…; ` +
          `'${maskedName(part)}' is not a region name`,
      );
    if (names.has(name)) throw new SettingError(`${variable} names the region '${name}' twice`);
    names.add(name);
    const read = url("amqp", "amqps");
    const [first = "", ...others] = address
      .split("|")
      .map((node) => read(node, `${variable} (region ${name})`));
    // Messages carry the user's name, and a broker refuses another one than the connection's.
    if (others.some((other) => seatOf(other) !== seatOf(first)))
      throw new SettingError(
        `${variable}: the nodes of region '${name}' must have the same user and virtual host`,
      );
    return others.length > 0 ? { name, url: first, others } : { name, url: first };
  });
}

/** Without a name in front of it, an address would be taken for one. */
function maskedName(part: string): string {
  const name = part.split("=")[0] ?? "";
  return name.includes(":") ? maskedUrl(name) : name;
}

/** A broker URL's user and virtual host. */
function seatOf(address: string): string {
  const { username, pathname } = new URL(address);
  return `${username} ${pathname}`;
}

export interface Threshold {
  readonly slow: number;
  readonly pause: number;
}

/** `slow,pause`, the second not below the first; or `off`. */
export function threshold(read: (text: string, variable: string) => number) {
  return (value: string, variable: string): Threshold | undefined => {
    if (value === "off") return undefined;
    const parts = list(value).map((part) => read(part, variable));
    const [slow = 0, pause = 0] = parts;
    if (parts.length !== 2 || pause < slow)
      throw new SettingError(
        `${variable} must be slow,pause (the second at least the first) or off, not '${value}'`,
      );
    return { slow, pause };
  };
}

const RETRIES = 3;

export function retryDelays(value: string, variable: string): readonly number[] {
  const delays = list(value).map((part) => duration(0, 3_600_000)(part, variable));
  if (delays.length !== RETRIES)
    throw new SettingError(
      `${variable} must be ${RETRIES} durations, such as 1s,4s,16s, not '${value}'`,
    );
  return delays;
}

export interface PublisherSetting {
  /** The broker user; `prefix*` matches every user with that prefix. */
  readonly user: string;
  readonly role: "gateway" | "payments" | "operator" | "service" | "all";
  /** The service, if its user is not named after it. */
  readonly service?: string;
}

export const publisherText = ({ user, role, service }: PublisherSetting): string =>
  `${user}=${role}${service === undefined ? "" : `:${service}`}`;

const PUBLISHER_ROLES = ["gateway", "payments", "operator", "service", "all"] as const;

/**
 * `user=role,…`. `service-*=service` takes the service's name from the user's; `user=service:name`
 * states it.
 */
export function publishers(value: string, variable: string): readonly PublisherSetting[] {
  return list(value).map((part) => {
    const [, user = "", word = "", service] = /^([^=]+)=([a-z]+)(?::([\w.@-]+))?$/.exec(part) ?? [];
    const role = PUBLISHER_ROLES.find((known) => known === word);
    // A service has a name, from its user or stated; the other roles have none.
    const named = service !== undefined || (role === "service" && user.endsWith("*"));
    if (role === undefined || named !== (role === "service"))
      throw new SettingError(
        `${variable} must be user=role,…; '${part}' is not valid ` +
          `(roles: ${PUBLISHER_ROLES.join(", ")}; service-*=service, or user=service:name)`,
      );
    return service === undefined ? { user, role } : { user, role, service };
  });
}
