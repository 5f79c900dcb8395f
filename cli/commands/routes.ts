// sluice routes: which fulfilment service gets the parts of a category. A change is written to the
// ledger first, then applied to every region's broker without a restart; parts that waited for a
// route are then sent on.

import type { Command } from "commander";
import { isAccessRefused } from "../../broker/declare.ts";
import { applyRoutes, type From, type Routing, reroute, routingOf } from "../../broker/routes.ts";
import { serviceQueueName, UNROUTED } from "../../broker/topology.ts";
import type { RegionLink } from "../../consumers/orders/relay.ts";
import { and, countWords } from "../../core/domain/finding-words.ts";
import { NAME_PATTERN, NAME_RULE } from "../../core/domain/order.ts";
import { ELSEWHERE, type Route } from "../../core/domain/part.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { SettingError } from "../../core/settings/settings.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { type OpenLedger, withLedger } from "../ledger.ts";
import { commandLine, onRecord } from "../operator/on-record.ts";
import { hasClaimed, sendParts } from "../operator/send-parts.ts";
import { knownServices } from "../operator/services.ts";
import { print, printJson } from "../output.ts";
import { closeRegions, openRedis, openRegions } from "../roles/parts.ts";
import { table } from "../table.ts";
import { Unavailable, UsageError } from "../usage.ts";

interface Where {
  readonly region?: string | undefined;
  readonly new?: boolean;
}

export function register(program: Command): void {
  const routes = program
    .command("routes")
    .description("list, set or unset which service gets the parts of a category");
  routes
    .command("list", { isDefault: true })
    .description("list which service gets which category")
    .option("--json", "print JSON: as GET /v1/admin/routes", false)
    .action(async ({ json }: { json: boolean }) =>
      withLedger(async ({ ledger }) => show(await ledger.routes(), json)),
    );
  routes
    .command("set <category> <service>")
    .description("send parts of the category to the service from now on")
    .option("--region <name>", "only for orders from this region")
    .option("--new", "the service does not run yet", false)
    .action((category: string, service: string, where: Where) => change(category, service, where));
  routes
    .command("unset <category>")
    .description("keep parts of the category in fulfilment.unrouted from now on")
    .option("--region <name>", "only this region's route")
    .action((category: string, { region }: Where) => change(category, "", { region }));
  routes
    .command("drain <service>")
    .description("send a service's waiting parts where the routes point now")
    .action((service: string) => drain(service));
}

async function show(routes: Awaited<ReturnType<Ledger["routes"]>>, json: boolean): Promise<void> {
  const rows = routes.map(({ category, region, service }) => ({
    category,
    region: region || "all",
    service,
    queue: serviceQueueName(service),
  }));
  if (json) printJson({ routes });
  else print(table(rows));
}

async function change(
  category: string,
  service: string,
  { region = "", new: isNew = false }: Where,
): Promise<void> {
  for (const [name, value] of Object.entries({ category, ...(service === "" ? {} : { service }) }))
    if (!NAME_PATTERN.test(value)) throw new UsageError(`${name} '${value}' must be ${NAME_RULE}`);
  if (serviceQueueName(service) === UNROUTED)
    throw new UsageError(`service '${service}' is the queue of parts without a route`);
  await withLedger(async ({ ledger, settings }) => {
    if (region !== "" && !settings.regions.some((r) => r.name === region))
      throw new UsageError(
        `--region '${region}' is not one of SLUICE_REGIONS ` +
          `(${settings.regions.map((r) => r.name).join(", ")})`,
      );
    if (service !== "" && !isNew) await mustBeKnown({ ledger, settings }, service);
    const action = service === "" ? "routes.unset" : "routes.set";
    const deed = { action, target: category, detail: { region, service } };
    await onRecord(ledger, deed, () => apply({ ledger, settings }, { category, region, service }));
    process.stdout.write(`${routeWords(await ledger.routes(), { category, region, service })}\n`);
  });
}

/** What became of a route; the routes are those after the change. */
export function routeWords(routes: readonly Route[], { category, region, service }: Route): string {
  const of = region === "" ? category : `${category} of region ${region}`;
  if (service !== "") return `${of} goes to ${service}`;
  const left = routes.filter((route) => route.category === category);
  const forAll = left.find((route) => route.region === "")?.service;
  if (region !== "" && forAll !== undefined)
    return `${of} has no route of its own any more: it goes to ${forAll}, as in all regions`;
  if (region !== "" || left.length === 0) return `${of} no longer has a route`;
  const kept = left.map((route) => `${route.service} in ${route.region}`);
  return `${of} no longer has a route, but for ${and(kept)}`;
}

async function mustBeKnown({ ledger, settings }: OpenLedger, service: string): Promise<void> {
  const redis = await openRedis(realRuntime, settings, () => undefined);
  const known = await knownServices(ledger, redis);
  const answers = redis.connected;
  await redis.close();
  if (known.includes(service)) return;
  if (!answers)
    throw new Unavailable(
      `Redis does not answer: whether a service '${service}' runs is unknown. ` +
        "If the name is right, add --new",
    );
  throw new SettingError(
    `no service '${service}' runs or ever had a route; known: ${known.join(", ") || "none"}. ` +
      "If it does not run yet, add --new",
  );
}

async function apply(open: OpenLedger, route: Route): Promise<void> {
  const { ledger } = open;
  const ref = realRuntime.uuid();
  await ledger.operate({ kind: "route", ref, ...route }, commandLine());
  const applied = everywhere(open, async (link, routing) => {
    await applyRoutes(link.connection, routing);
    return (await reroute(link.connection, link.publisher, routing)).moved;
  });
  try {
    await applied;
  } catch (error) {
    // The operator's user may bind nothing. The worker that owns shard 0 applies what is on record.
    if (isAccessRefused(error)) return;
    throw error;
  }
  const done = (await ledger.operationsOpen()).filter((o) => o.operation.ref === ref);
  await ledger.operationsDone(done.map((o) => o.id));
}

async function drain(service: string): Promise<void> {
  if (!NAME_PATTERN.test(service))
    throw new UsageError(`service '${service}' must match ${NAME_PATTERN.source}`);
  await withLedger((open) =>
    onRecord(open.ledger, { action: "routes.drain", target: service }, async () => {
      await untilApplied(open.ledger);
      let [moved, kept] = [0, 0];
      await everywhere(open, async ({ connection, publisher }, routing) => {
        const from = waitingAt(service, open.ledger);
        const done = await reroute(connection, publisher, routing, from);
        moved += done.moved;
        kept += done.kept;
        return done.moved;
      });
      print(drained(service, moved, kept));
    }),
  );
}

/** Until the brokers have the routes on record, a part would come back to the queue it left. */
async function untilApplied(ledger: Ledger): Promise<void> {
  const open = async () =>
    (await ledger.operationsOpen()).some(({ operation }) => operation.kind === "route");
  for (const end = realRuntime.monotonicMs() + APPLY_WAIT_MS; await open(); ) {
    if (realRuntime.monotonicMs() > end)
      throw new Unavailable(
        "the brokers do not have the latest routes yet, so nothing was sent. The worker that " +
          "owns shard 0 brings them there, once every region's broker answers: see 'sluice doctor'",
      );
    await realRuntime.sleep(APPLY_LOOK_MS);
  }
}

const APPLY_WAIT_MS = 10_000;
const APPLY_LOOK_MS = 100;

function drained(service: string, moved: number, kept: number): string {
  if (kept > 0)
    return (
      `${countWords(kept, "message")} of ${service} left: it has claimed their parts, ` +
      "or their routes still lead to it\n"
    );
  return moved === 0 ? `nothing waits for ${service}\n` : "";
}

/** What a service has claimed stays in its queue: no other one may have it. */
function waitingAt(service: string, ledger: Ledger): From {
  return {
    queue: serviceQueueName(service),
    send: async (letter, publisher) =>
      (await hasClaimed(ledger, service, letter.body))
        ? "kept"
        : sendParts(ledger, publisher, letter),
  };
}

async function everywhere(
  { ledger, settings }: OpenLedger,
  work: (link: RegionLink, routing: Routing) => Promise<number>,
): Promise<void> {
  const links = await openRegions(realRuntime, settings, () => undefined);
  const names = [...settings.regions.map((r) => r.name), ELSEWHERE];
  const routing = routingOf(await ledger.routes(), await ledger.formerRoutes(), names);
  try {
    for (const link of links) {
      const sent = await work(link, routing);
      if (sent > 0)
        print(`${countWords(sent, "message")} sent on in region ${link.connection.region}\n`);
    }
  } finally {
    await closeRegions(links);
  }
}
