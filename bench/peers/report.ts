// The page of a session with the peers.
import { inAll } from "./run.ts";
import type { PeersResult, Row } from "./session.ts";

export function peersPage({ at, seconds, rows }: PeersResult, machine: string): string {
  const http = rows.filter(({ kind }) => kind === "http");
  const lines = [
    "# Peers",
    "",
    `${at}, ${machine}; ${seconds} s per run after a warm-up, all parts and the load generator on`,
    "these cores. Standard workload: 20,000 users, one to three lines per order, one order in ten",
    "finds stock. Runs of Sluice stand before, after and between the peers; a ratio compares a",
    "peer with the runs of Sluice around it.",
    "",
    "## Into the ledger",
    "",
    ...table(rows.filter(({ kind }) => kind === "ledger")),
  ];
  if (http.length > 0) lines.push("", "## Behind HTTP", "", ...table(http));
  lines.push("", "## What is counted", "", COUNTED, "", "## What the peers lack", "", LACKING);
  const own = new Map(rows.flatMap(({ title, lacks }) => (lacks ? [[title, lacks]] : [])));
  for (const [title, lacks] of own) lines.push(`- ${title}: ${lacks}.`);
  const broken = rows.flatMap(({ title, measured }) =>
    measured.violations.map((violation) => `- ${title}: ${violation}`),
  );
  if (broken.length > 0) lines.push("", "## Broken rules", "", ...broken);
  return `${lines.join("\n")}\n`;
}

const COUNTED = `\
- Orders per second: orders written to the ledger while orders were being submitted. Behind HTTP:
  answers with 202.
- µs per order: CPU of all processes of the system and its stores, until the last order is in
  the ledger. The load generator is not in it.
- Every peer drops repeated orders, oversells nothing, keeps stock per item, and has each order
  in a SQL ledger once, with an outcome. The bench compares ledger and stock with what was
  submitted, and a sample is submitted twice.
- Into the ledger, a peer gets its orders as objects within its process. Sluice gets them over
  WebSocket, one order per frame, and includes its gateway.
- Behind HTTP, each request has one order, over 256 connections. A peer checks the order's form.
  Sluice also verifies a signed token, and limits rates.`;

const LACKING = `\
All of them: each user's orders in sequence, cancels, regions, admission under overload, a journal
from which the fast store is rebuilt, limits per user, exchange rates, charges, fulfilment.

TigerBeetle is not among them: package registries have its clients, but not its server.
`;

function table(rows: readonly Row[]): string[] {
  return [
    "| | orders/s | µs per order | Sluice is faster by | p99 | of which |",
    "|---|---|---|---|---|---|",
    ...rows.map(({ title, of, measured, sluiceRatio }) => {
      const { ordersPerSecond, cpuMicros, p99Ms } = measured;
      const rate = Math.round(ordersPerSecond).toLocaleString("en");
      const parts = Object.entries(cpuMicros).map(([part, us]) => `${part} ${us.toFixed(1)}`);
      const name = of === "sluice" ? `**${title}**` : title;
      const ratio = of === "peer" ? `${sluiceRatio.toFixed(2)}×` : "";
      const late = p99Ms === undefined ? "" : `${p99Ms.toFixed(0)} ms`;
      const cells = [name, rate, inAll(cpuMicros).toFixed(1), ratio, late, parts.join(", ")];
      return `| ${cells.join(" | ")} |`;
    }),
  ];
}
