// The pages of docs/reference that are made from the product's own tables: settings, calls over
// HTTP, frames and messages, metrics and alerts.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { flagOf } from "../cli/flags.ts";
import type { RoleReport } from "../core/domain/report.ts";
import { familiesOf } from "../core/metrics/families.ts";
import type { Family } from "../core/metrics/family.ts";
import { STORES } from "../core/metrics/stock.ts";
import { SETTINGS } from "../core/settings/setting-table.ts";
import { describeSettings, readSettings } from "../core/settings/settings.ts";

const ROOT = join(import.meta.dir, "..");
const COLUMNS = 100;
const ROLES: readonly RoleReport["kind"][] = [
  ...(["gateway", "worker", "payments", "fulfil", "rates", "sender"] as const),
];

/** Page → its text. */
export function references(): Map<string, string> {
  return new Map([
    ["docs/reference/settings.md", settingsPage()],
    ["docs/reference/calls.md", callsPage()],
    ["docs/reference/frames.md", framesPage()],
    ["docs/reference/metrics.md", metricsPage()],
  ]);
}

/** What the settings from this one on are about. */
const SETTINGS_ABOUT: Readonly<Record<string, string>> = {
  SLUICE_REDIS_URL: "Stores and regions",
  SLUICE_HTTP_HOST: "A gateway's address",
  SLUICE_JWT_ALGORITHM: "Tokens",
  SLUICE_CONSOLE_OIDC_ISSUER: "Signing in to the console",
  SLUICE_ORIGINS: "Browsers and proxies",
  SLUICE_GAP_TIMEOUT: "Order numbers and clocks",
  SLUICE_HOLD_TTL: "Charges",
  SLUICE_RATES_SOURCE: "Exchange rates",
  SLUICE_LEASE_TTL: "Leases, logs and metrics",
  SLUICE_TARGET_WAIT: "Admission",
  SLUICE_GOVERNOR_CPU: "Making room for other programs",
  SLUICE_WEBHOOK_TIMEOUT: "Outgoing webhooks",
  SLUICE_WORKER_NICE: "Other settings",
};

function settingsPage(): string {
  const shown = describeSettings(readSettings({}));
  const items = Object.values(SETTINGS).flatMap((setting, i) => {
    const fallback = shown[i]?.value ?? "";
    const default_ = fallback === "" ? "no default" : `default \`${fallback}\``;
    const secret = "secret" in setting && setting.secret ? ", may come from a file" : "";
    const { variable, says } = setting;
    const names = `\`${variable}\`, \`${flagOf(variable)}\``;
    const about = SETTINGS_ABOUT[variable];
    const heading = about === undefined ? [] : ["", `## ${about}`, ""];
    const unless = says.includes("default: ") ? "" : `; ${default_}`;
    return [...heading, item(`${names}: ${says}${unless}${secret}`)];
  });
  return page(
    "Settings",
    "Each setting is a variable and a flag. `sluice config` shows those in force. A duration " +
      "is a number with `ms`, `s`, `m` or `h`. A setting that may come from a file is also read " +
      "from the file that its variable with `_FILE` names ([operations](../operations.md)).",
    items,
  );
}

interface Call {
  readonly summary: string;
  readonly tags: readonly string[];
  readonly responses: Readonly<Record<string, unknown>>;
}

function callsPage(): string {
  const { paths, tags } = yamlOf("docs/openapi.yaml") as {
    paths: Record<string, Record<string, Call>>;
    tags: { name: string; description: string }[];
  };
  const calls = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, call]) => Array.isArray(call.tags))
      .map(([method, call]) => ({ name: `${method.toUpperCase()} ${path}`, ...call })),
  );
  const groups = tags.flatMap(({ name, description }) => [
    `\n## ${name}\n`,
    ...wrapped(`${description}.`, ""),
    "",
    ...calls
      .filter((call) => call.tags[0] === name)
      .map(({ name: of, summary, responses }) =>
        item(`\`${of}\`: ${summary} (${Object.keys(responses).sort().join(", ")})`),
      ),
  ]);
  return page(
    "Calls over HTTP",
    "Every call with the statuses it may answer. [openapi.yaml](../openapi.yaml) has bodies, " +
      "headers and examples, and a running gateway shows them at `/docs`. " +
      "[The HTTP API](../http.md) says what the calls have in common.",
    groups,
  );
}

function framesPage(): string {
  const { channels } = yamlOf("docs/asyncapi.yaml") as {
    channels: Record<
      string,
      {
        address: string | null;
        description: string;
        messages: Record<string, { name: string; summary: string }>;
      }
    >;
  };
  const groups = Object.entries(channels).flatMap(([name, { address, description, messages }]) => [
    `\n## ${name}\n`,
    ...wrapped(`\`${address}\`. ${description}.`, ""),
    "",
    ...Object.values(messages).map((of) => item(`\`${of.name}\`: ${of.summary}`)),
  ]);
  return page(
    "Frames and messages",
    "The frames of a WebSocket, and what services send and receive over AMQP. " +
      "[asyncapi.yaml](../asyncapi.yaml) has their members; [the WebSocket protocol]" +
      "(../websocket.md), [fulfilment](../fulfilment.md) and [messages](../messages.md) explain " +
      "them.",
    groups,
  );
}

interface Alert {
  readonly alert: string;
  readonly labels: { readonly severity: string };
}

function metricsPage(): string {
  const roles = ROLES.map(
    (kind) => [kind, familiesOf(kind) as readonly Family<unknown>[]] as const,
  );
  const everyRole = (roles[0]?.[1] ?? []).filter(({ name }) =>
    roles.every(([, families]) => families.some((family) => family.name === name)),
  );
  const common = new Set(everyRole.map(({ name }) => name));
  const groups = roles.flatMap(([kind, families]) => [
    `\n## ${kind}\n`,
    ...families.filter(({ name }) => !common.has(name)).map(familyItem),
  ]);
  const { groups: rules } = yamlOf("deploy/prometheus/alerts.yml") as {
    groups: { rules: Alert[] }[];
  };
  const alerts = rules
    .flatMap(({ rules: each }) => each)
    .map(({ alert, labels }) =>
      item(`[${alert}](../operations.md#${alert.toLowerCase()}), ${labels.severity}`),
    );
  return page(
    "Metrics and alerts",
    "What each role reports at `/metrics`, and the alerts of `deploy/prometheus/alerts.yml`. " +
      "[Operations](../operations.md#metrics-and-alerts) says where to find them, and what to do " +
      "about an alert.",
    [
      ...[`## Alerts\n`, ...alerts, `\n## Every role\n`, ...everyRole.map(familyItem)],
      ...groups,
      ...[`\n## Roles that see the stores\n`, ...STORES.map(familyItem)],
    ],
  );
}

const familyItem = ({ name, type, help }: { name: string; type: string; help: string }): string =>
  item(`\`${name}\`, ${type}: ${help}`);

function page(title: string, head: string, lines: readonly string[]): string {
  const made = "<!-- Made by test/reference.test.ts; SLUICE_WRITE_REFERENCE=1 writes it again. -->";
  const text = [`# ${title}`, "", made, "", ...wrapped(head, ""), "", ...lines].join("\n");
  return `${text.replaceAll(/\n{3,}/g, "\n\n")}\n`;
}

const item = (text: string): string => wrapped(text, "- ").join("\n");

/** Lines of at most 100 columns; those after the first are indented as much as `lead` is long. */
function wrapped(text: string, lead: string): string[] {
  const lines = [lead];
  for (const word of text.split(/\s+/)) {
    const last = lines.length - 1;
    const line = lines[last] ?? "";
    const next = line.trim() === "" || line === lead ? `${line}${word}` : `${line} ${word}`;
    if ([...next].length <= COLUMNS) lines[last] = next;
    else lines.push(`${" ".repeat(lead.length)}${word}`);
  }
  return lines;
}

const yamlOf = (path: string): unknown => parse(readFileSync(join(ROOT, path), "utf8"));
