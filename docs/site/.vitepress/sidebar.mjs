// The pages of the site by kind: learn, do, look up, understand. docs/README.md is the same list
// with a word about each, in the same order. test/site.test.ts checks that no page of docs/ is
// missing. Guides, decisions and measurements are those that are there, each under its heading.
import { readdirSync, readFileSync } from "node:fs";

const ROOT = new URL("../../../", import.meta.url);
/** What connects to Sluice; every other guide is about running it. */
const CONNECT = ["browser-shop", "mobile", "payment-provider", "warehouse", "identity-provider"];
const RUN = [
  ...["compose", "kubernetes", "postgres", "capacity", "sale-day", "upgrade", "restore"],
  "lost-region",
];
const page = (text, path) => ({ text, link: path === "README.md" ? "/" : `/${path}` });
const group = (text, pages, collapsed = false) => ({
  text,
  collapsed,
  items: pages.map(([title, path]) => page(title, path)),
});

export const sidebar = [
  group("Start", [
    ["Sluice", "README.md"],
    ["All pages", "docs/README.md"],
  ]),
  group("Tutorial", [
    ["A first sale", "docs/tutorial/first-sale.md"],
    ["What the demo shows", "docs/tutorial/demo.md"],
  ]),
  group("How to: connect", guides(CONNECT)),
  group("How to: run", [
    ...guides(RUN),
    ["systemd, TLS and monitoring", "deploy/README.md"],
    ...guides(others()),
  ]),
  group("Reference", [
    ["Operations", "docs/operations.md"],
    ["The HTTP API", "docs/http.md"],
    ["Calls over HTTP", "docs/reference/calls.md"],
    ["The WebSocket protocol", "docs/websocket.md"],
    ["Frames and messages", "docs/reference/frames.md"],
    ["Settings", "docs/reference/settings.md"],
    ["The command line", "docs/reference/cli.md"],
    ["The console", "docs/console.md"],
    ["What the console reads", "docs/console-api.md"],
    ["Metrics and alerts", "docs/reference/metrics.md"],
    ["Tokens", "docs/auth.md"],
    ["Security", "docs/security.md"],
    ["Payments", "docs/payments.md"],
    ["Fulfilment", "docs/fulfilment.md"],
    ["Currencies", "docs/currencies.md"],
    ["Events and webhooks", "docs/webhooks.md"],
    ["Messages of the brokers", "docs/messages.md"],
    ["Client for TypeScript", "sdk/typescript/README.md"],
    ["Client for Python", "sdk/python/README.md"],
    ["Glossary", "docs/glossary.md"],
  ]),
  group("Explanation", [
    ["Architecture", "docs/architecture.md"],
    ["Guarantees", "docs/guarantees.md"],
    ["Performance", "docs/performance.md"],
    ["Faults", "docs/faults.md"],
    ["Faults under load", "docs/chaos.md"],
    ["The simulator", "docs/simulator.md"],
    ["The clients' history", "docs/history.md"],
    ["The protocol", "docs/protocol/README.md"],
    ["Journals of real runs", "docs/protocol/journals.md"],
    ["Walks on the real stores", "docs/protocol/traces.md"],
  ]),
  group(
    "Decisions",
    [["All decisions", "docs/decisions/README.md"], ...pagesOf("docs/decisions", /^\d/)],
    true,
  ),
  group("Measurements", pagesOf("bench/results"), true),
  group("Project", [
    ["Contributing", "CONTRIBUTING.md"],
    ["Changelog", "CHANGELOG.md"],
    ["Reporting a vulnerability", "SECURITY.md"],
  ]),
];

function guides(names) {
  return names.map((name) => titled(`docs/howto/${name}.md`));
}

function others() {
  const here = readdirSync(new URL("docs/howto/", ROOT)).map((file) => file.replace(/\.md$/, ""));
  return here.filter((name) => ![...CONNECT, ...RUN].includes(name)).sort();
}

function pagesOf(folder, which = /./) {
  const files = readdirSync(new URL(`${folder}/`, ROOT)).sort();
  return files
    .filter((file) => file.endsWith(".md") && file !== "README.md" && which.test(file))
    .map((file) => titled(`${folder}/${file}`));
}

/** A page under its own heading. */
function titled(path) {
  const [, title = path] = /^# (.+)$/m.exec(readFileSync(new URL(path, ROOT), "utf8")) ?? [];
  return [title.replaceAll("`", ""), path];
}
