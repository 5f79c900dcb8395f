// The settings of a process: read once from SLUICE_* variables, checked, and passed down as a
// frozen object.
import { MASK, maskedUrl } from "../domain/masked.ts";
import { withSecretFiles } from "./secret-files.ts";
import {
  durationText,
  type PublisherSetting,
  publisherText,
  type RegionSetting,
  SettingError,
} from "./setting-readers.ts";
import { SETTINGS, type Setting } from "./setting-table.ts";

export { type RegionSetting, SettingError } from "./setting-readers.ts";

type Settled<S> = S extends { read: (text: string, variable: string) => infer T } ? T : never;
export type Settings = { readonly [K in keyof typeof SETTINGS]: Settled<(typeof SETTINGS)[K]> };

/** Reads the settings from an environment; throws for an invalid or unknown one. */
export function readSettings(given: Readonly<Record<string, string | undefined>>): Settings {
  const env = withSecretFiles(given);
  const known = new Set<string>(Object.values(SETTINGS).map((s) => s.variable));
  const stranger = Object.keys(env).find(
    (name) => name.startsWith("SLUICE_") && !known.has(name) && !OTHER_VARIABLES.has(name),
  );
  if (stranger)
    throw new SettingError(`${stranger} is not a Sluice setting; 'sluice config' lists them`);
  const settled: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(SETTINGS) as [string, Setting<unknown>][]) {
    const value = env[setting.variable];
    settled[name] =
      value === undefined || value === ""
        ? setting.fallback
        : setting.read(value, setting.variable);
  }
  const settings = Object.freeze(settled) as Settings;
  mustFailOverInTime(settings);
  mustNameClient(settings);
  return settings;
}

/**
 * A batch that has used up its whole time at a slow broker goes nowhere else. A single named region
 * has nowhere to go; if none is named, the private brokers have two.
 */
function mustFailOverInTime(settings: Settings): void {
  const { failover, regions, failoverAfterMs, confirmTimeoutMs } = settings;
  if (failover === "no" || regions.length === 1 || failoverAfterMs < confirmTimeoutMs) return;
  throw new SettingError(
    `SLUICE_FAILOVER_AFTER (${failoverAfterMs} ms) must be shorter than ` +
      `SLUICE_CONFIRM_TIMEOUT (${confirmTimeoutMs} ms), or no order of a slow broker would ever ` +
      "go to the next region; SLUICE_FAILOVER=no keeps them at home",
  );
}

function mustNameClient({ consoleOidcIssuer, consoleOidcClient }: Settings): void {
  if ((consoleOidcIssuer === "") === (consoleOidcClient === "")) return;
  throw new SettingError(
    "SLUICE_CONSOLE_OIDC_ISSUER and SLUICE_CONSOLE_OIDC_CLIENT need each other: set both or none",
  );
}

/**
 * Variables that are not settings of a role: the test switch, and what a starter passes to the
 * roles it starts.
 */
const OTHER_VARIABLES = new Set([
  "SLUICE_TEST_PATCH",
  "SLUICE_ID",
  "SLUICE_STARTER",
  "SLUICE_METRICS_DIR",
  "SLUICE_GATEWAY_URL",
]);

export function settingVariables(): string[] {
  return Object.values(SETTINGS).map(({ variable }) => variable);
}

export interface Described {
  readonly name: keyof Settings;
  readonly variable: string;
  readonly value: string;
  readonly says: string;
  /** The only values it may have. */
  readonly words: readonly string[] | undefined;
}

/** Every setting with its value and purpose, secrets masked. */
export function describeSettings(settings: Settings): Described[] {
  return (Object.entries(SETTINGS) as [keyof Settings, Setting<unknown>][]).map(
    ([name, { variable, says, secret, read }]) => {
      const value = settings[name];
      const shown = textOf(value, name.endsWith("Ms"));
      const { words } = read;
      const text = secret && shown !== "" ? masked(name, value) : shown;
      return { name, variable, says, words, value: text };
    },
  );
}

/** The value as one would write it. */
function textOf(value: unknown, isDuration: boolean): string {
  if (value === undefined) return "off";
  if (Array.isArray(value)) return value.map((each) => textOf(each, isDuration)).join(",");
  if (isPublisher(value)) return publisherText(value);
  if (typeof value === "object" && value !== null) return textOf(Object.values(value), isDuration);
  return isDuration ? durationText(Number(value)) : String(value);
}

const isPublisher = (value: unknown): value is PublisherSetting =>
  typeof value === "object" && value !== null && "role" in value;

/** Addresses without their secrets; any other secret not at all. */
function masked(name: keyof Settings, value: unknown): string {
  if (name === "jwtSecret") return MASK;
  if (name === "webhookSecrets") return (value as readonly string[]).map(() => MASK).join(",");
  if (typeof value === "string") return value.includes(":") ? maskedUrl(value) : value;
  return (value as readonly RegionSetting[])
    .map(({ name, url, others = [] }) => `${name}=${[url, ...others].map(maskedUrl).join("|")}`)
    .join(",");
}
