// One broker user per kind of role and its permissions, as data: configure (declare and delete),
// write (publish, and bind a queue), read (consume, and bind from an exchange). Each pattern
// matches whole names.
//
// A user who may write to `amq.default` may publish to any queue by name. That is why a message is
// also judged by its sender (consumers/orders/publishers.ts): the broker rejects a `user_id` other
// than the connection's own.
import {
  CLAIMS_EXCHANGE,
  FULFILMENT_EXCHANGE,
  FX_RATES,
  FX_REQUESTS,
  ORDERS_DEAD,
  ORDERS_EXCHANGE,
  PAYMENTS,
  PAYMENTS_DEAD,
  serviceQueueName,
  UNROUTED,
} from "./topology.ts";

export interface Permissions {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

export interface Account extends Permissions {
  readonly user: string;
}

export const ROLE_USERS = ["gateway", "worker", "payments", "rates", "operator"] as const;
export type RoleUser = (typeof ROLE_USERS)[number];
/** Prefix of a service's user name. */
export const SERVICE_PREFIX = "service-";
export const serviceUser = (service: string): string => `${SERVICE_PREFIX}${service}`;

const DEFAULT_EXCHANGE = "amq.default";
const NOTHING = "^$";
/** A gateway or a service receives answers on a queue of its own, which it declares. */
const OWN_QUEUES = "gateway\\..*";
const SERVICE_QUEUES = "fulfilment\\..*";
/** Every queue that topology.ts and routes.ts declare. */
const QUEUES = ["orders\\..*", "payments(\\..*)?", SERVICE_QUEUES, "fx\\..*", "rates\\..*"];
const EXCHANGES = [ORDERS_EXCHANGE, CLAIMS_EXCHANGE, FULFILMENT_EXCHANGE].map(literally);

const ROLES: Readonly<Record<RoleUser, Permissions>> = {
  // For services that call over HTTP it takes parts, claims them and gives up those that failed.
  gateway: {
    configure: oneOf(OWN_QUEUES),
    write: oneOf(...[ORDERS_EXCHANGE, CLAIMS_EXCHANGE, UNROUTED].map(literally)),
    read: oneOf(OWN_QUEUES, SERVICE_QUEUES),
  },
  // Only the worker declares what all roles share. It publishes follow-ups to queues by name, and
  // never to `orders` or `claims`.
  worker: {
    configure: oneOf(...QUEUES, ...EXCHANGES),
    write: oneOf(...QUEUES, ...[FULFILMENT_EXCHANGE, DEFAULT_EXCHANGE].map(literally)),
    read: oneOf(...QUEUES, ...EXCHANGES),
  },
  payments: {
    configure: NOTHING,
    write: oneOf(...[ORDERS_EXCHANGE, DEFAULT_EXCHANGE].map(literally)),
    read: oneOf(literally(PAYMENTS)),
  },
  rates: {
    configure: NOTHING,
    write: oneOf(...[FX_RATES, DEFAULT_EXCHANGE].map(literally)),
    read: oneOf(literally(FX_REQUESTS)),
  },
  operator: {
    configure: NOTHING,
    write: oneOf(
      ...[ORDERS_EXCHANGE, CLAIMS_EXCHANGE, FULFILMENT_EXCHANGE, DEFAULT_EXCHANGE].map(literally),
    ),
    // Parts without a route, and those that wait for a service: `sluice routes drain`.
    read: oneOf(...[ORDERS_DEAD, PAYMENTS_DEAD].map(literally), SERVICE_QUEUES),
  },
};

/** The accounts of an installation that has these services. */
export function accountsOf(services: readonly string[]): Account[] {
  return [
    ...ROLE_USERS.map((user) => ({ user, ...ROLES[user] })),
    ...services.map((service) => ({
      user: serviceUser(service),
      ...permissionsOfService(service),
    })),
  ];
}

/** The permissions a user of this name should have; undefined for a name not listed above. */
export function permissionsOf(user: string): Permissions | undefined {
  if (user.startsWith(SERVICE_PREFIX))
    return permissionsOfService(user.slice(SERVICE_PREFIX.length));
  return ROLE_USERS.find((role) => role === user) && ROLES[user as RoleUser];
}

/**
 * Consumes its parts, claims them and receives its answers. Parts it cannot read go back to
 * `fulfilment.unrouted`.
 */
function permissionsOfService(service: string): Permissions {
  const own = [`gateway\\.${literally(service)}(-.*)?`, literally(serviceQueueName(service))];
  return {
    configure: oneOf(...own),
    write: oneOf(...[CLAIMS_EXCHANGE, UNROUTED].map(literally)),
    read: oneOf(...own),
  };
}

function oneOf(...patterns: readonly string[]): string {
  return `^(${patterns.join("|")})$`;
}

function literally(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** The user in this URL; AMQP clients default to `guest`. */
export function userOf(url: string): string {
  return decodeURIComponent(new URL(url).username) || "guest";
}
