// Checks the user of a broker connection: shared by all roles, or a role's own with more
// permissions than it needs.
import { type Permissions, permissionsOf, userOf } from "../../broker/accounts.ts";
import type { BrokerConnection } from "../../broker/connection.ts";
import { mayConfigure, mayWrite } from "../../broker/inspect.ts";
import { CLAIMS_EXCHANGE, ORDERS_EXCHANGE } from "../../broker/topology.ts";
import type { Settings } from "../../core/settings/settings.ts";
import { type Finding, ok, warn } from "./finding.ts";

const HOW = 'docs/operations.md, "Users of the brokers"';
const EXCHANGES = [ORDERS_EXCHANGE, CLAIMS_EXCHANGE] as const;

/** For a region whose topology exists. */
export async function checkAccount(
  connection: BrokerConnection,
  settings: Settings,
): Promise<Finding[]> {
  const what = `broker ${connection.region}`;
  const user = userOf(connection.options.region.url);
  const meant = permissionsOf(user);
  if (!meant) return settings.publishers.length > 0 ? [] : [shared(what, user)];
  const excess = await tooMuch(connection, meant);
  if (excess.length > 0)
    return [
      warn(
        what,
        `user '${user}' may ${excess.join(" and ")}, which it does not need`,
        `see ${HOW}`,
      ),
    ];
  return [ok(what, `user '${user}' may do its own work and nothing else`)];
}

function shared(what: string, user: string): Finding {
  return warn(
    what,
    `all roles connect as '${user}': anyone with its password can send any row, even a payment's`,
    `create a user for each role, and set SLUICE_PUBLISHERS: ${HOW}`,
  );
}

async function tooMuch(connection: BrokerConnection, meant: Permissions): Promise<string[]> {
  const excess: string[] = [];
  for (const exchange of EXCHANGES) {
    if (!new RegExp(meant.write).test(exchange) && (await mayWrite(connection, exchange)))
      excess.push(`write to '${exchange}'`);
    if (
      !new RegExp(meant.configure).test(exchange) &&
      (await mayConfigure(connection, { name: exchange, type: "direct" }))
    )
      excess.push(`declare '${exchange}'`);
  }
  return excess;
}
