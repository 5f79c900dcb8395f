// What the reports of gateways and workers show: brokers, admission, where gateways publish.
import { and, countWords } from "./finding-words.ts";
import { admissionWords, heldBack } from "./reason-words.ts";
import type { GatewayReport, Publishing } from "./report.ts";
import { type Facts, ofKind, type Seen } from "./seen.ts";

export function gateways(facts: Facts): Seen[] {
  const all = ofKind(facts, "gateway");
  const shut = all.filter((g) => heldBack(g).orders === "all");
  // Only while Redis, which lists them, answers.
  const nobody = shut.length > 0 && shut.length === all.length && !facts.unasked.includes("redis");
  return [
    ...(nobody ? [nobodyAccepts(shut)] : all.flatMap(holdingBack)),
    ...all.flatMap(elsewhere),
  ];
}

function nobodyAccepts(all: readonly GatewayReport[]): Seen {
  const why = and(all.flatMap(admissionWords));
  return { code: "no_gateway_open", what: `no gateway accepts orders: ${why}` };
}

const STALLED = "see why no worker decides: the findings above, or 'sluice workers'";

/** A gateway that merely stops, while others run, is not a finding. */
function holdingBack(gateway: GatewayReport): Seen[] {
  const { id, reasons } = gateway;
  const { orders, shards } = heldBack(gateway);
  const why = admissionWords(gateway).length === 0 ? "" : `: ${and(admissionWords(gateway))}`;
  if (orders === "none") return [];
  if (orders === "some") {
    const which = shards.length === 0 ? "" : ` of ${countWords(shards.length, "shard")}`;
    const about = { subject: id, what: `${id} holds orders${which} back${why}` };
    // Nothing to do about the gateway then: what stalls the workers has a finding of its own.
    const next = reasons.includes("stalled") ? { next: STALLED } : {};
    return [{ ...about, code: "shedding", ...next }];
  }
  if (reasons.every((r) => r === "draining")) return [];
  return [{ code: "gateway_closed", subject: id, what: `${id} accepts no orders${why}` }];
}

function elsewhere({ id, region, publishing }: GatewayReport): Seen[] {
  const home = regionsOf(publishing).find((r) => r.region === region);
  const publishesTo = publishing?.publishesTo ?? region;
  if (publishesTo === region && (home?.queues ?? []).length === 0) return [];
  const orders =
    publishesTo === region ? `orders of shard ${and(home?.queues ?? [])}` : "its orders";
  const where = publishesTo === region ? "another region" : publishesTo;
  const why = publishesTo === region ? "" : `: its own broker ${brokerWords(home)}`;
  return [
    {
      code: "publishes_elsewhere",
      subject: id,
      what: `${id} sends ${orders} to ${where}${why}`,
      sinceMs: publishesTo === region ? null : (home?.sinceMs ?? null),
    },
  ];
}

function brokerWords(home: Publishing["regions"][number] | undefined): string {
  if (home?.broker === "away" || home?.why === "away") return "does not answer";
  if (home?.broker === "blocked") return "has an alarm";
  return home && home.why !== "" ? `failed (${home.why})` : "is not ready yet";
}

/** The regions are those whose brokers the roles use. */
export function regionsWithoutGateway(facts: Facts, onPurpose: readonly string[]): Seen[] {
  const all = ofKind(facts, "gateway");
  const served = new Set(all.map(({ region }) => region));
  const regions = [
    ...all.flatMap(({ publishing }) => regionsOf(publishing)),
    ...ofKind(facts, "worker").flatMap(({ brokers: own }) => own),
  ].map(({ region }) => region);
  return [...new Set(regions)]
    .filter((region) => !served.has(region) && !onPurpose.includes(region))
    .map((region) => ({
      code: "region_without_gateway",
      subject: region,
      what: `no gateway is running in ${region}`,
    }));
}

export function brokers(facts: Facts): Seen[] {
  const away = new Map<string, { state: string; by: string[] }>();
  const note = (region: string, state: string, by: string) => {
    if (state === "up") return;
    const known = away.get(region) ?? { state, by: [] };
    if (state === "away") known.state = "away";
    known.by.push(by);
    away.set(region, known);
  };
  for (const { id, region, broker, publishing } of ofKind(facts, "gateway")) {
    note(region, broker, id);
    for (const other of regionsOf(publishing))
      if (other.region !== region) note(other.region, other.broker, id);
  }
  for (const { id, brokers: all } of ofKind(facts, "worker"))
    for (const { region, state } of all) note(region, state, id);
  const asking = ofKind(facts, "gateway").length + ofKind(facts, "worker").length;
  return [...away].map(([region, { state, by }]) => ({
    code: state === "away" ? "broker_away" : "broker_blocked",
    subject: region,
    what:
      state === "away"
        ? `the broker of ${region} does not answer ${by.length === asking ? "anybody" : and(by)}`
        : `the broker of ${region} has an alarm and accepts nothing (${and(by)})`,
  }));
}

/** A gateway of an earlier release does not report where it publishes. */
function regionsOf(publishing: GatewayReport["publishing"] | undefined) {
  return publishing?.regions ?? [];
}
