// The pages of the site by kind: learn, do, look up, understand. docs/README.md is the same list
// with a word about each. test/site.test.ts checks that no page of docs/ is missing. Guides are
// those that are there, each under its heading.
import { readdirSync, readFileSync } from "node:fs";

const GUIDES = new URL("../../howto/", import.meta.url);
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
  group("How to", guides()),
  group("Reference", [
    ["Operations", "docs/operations.md"],
    ["HTTP", "docs/http.md"],
    ["Calls over HTTP", "docs/reference/calls.md"],
    ["WebSocket", "docs/websocket.md"],
    ["Frames and messages", "docs/reference/frames.md"],
    ["Settings", "docs/reference/settings.md"],
    ["The command line", "docs/reference/cli.md"],
    ["The console", "docs/console.md"],
    ["What the console asks", "docs/console-api.md"],
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
    ["Decisions", "docs/decisions/README.md"],
    ["Performance", "docs/performance.md"],
    ["Faults", "docs/faults.md"],
    ["Faults under load", "docs/chaos.md"],
    ["The simulator", "docs/simulator.md"],
    ["What clients saw", "docs/history.md"],
    ["The protocol", "docs/protocol/README.md"],
    ["Journals of real runs", "docs/protocol/journals.md"],
    ["Walks on the real stores", "docs/protocol/traces.md"],
  ]),
  group("Project", [
    ["Contributing", "CONTRIBUTING.md"],
    ["Changelog", "CHANGELOG.md"],
    ["Reporting a vulnerability", "SECURITY.md"],
  ]),
];

function guides() {
  const files = readdirSync(GUIDES).filter((file) => file.endsWith(".md"));
  return files.sort().map((file) => {
    const [, title = file] = /^# (.+)$/m.exec(readFileSync(new URL(file, GUIDES), "utf8")) ?? [];
    return [title, `docs/howto/${file}`];
  });
}
