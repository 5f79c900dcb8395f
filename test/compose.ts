// Reads docker-compose.yml like `docker compose`, as far as this project's file needs: merge keys,
// and variables with defaults.
import { parse } from "yaml";

export interface Service {
  readonly image?: string;
  readonly build?: string;
  readonly user?: string;
  readonly hostname?: string;
  readonly profiles?: readonly string[];
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly tmpfs?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly ulimits?: { readonly nofile?: { readonly soft: number; readonly hard: number } };
  readonly deploy?: { readonly resources: { readonly limits: Limits } };
  readonly secrets: readonly string[];
  readonly networks: readonly string[];
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly depends_on: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: HealthCheck;
  readonly stop_signal: NodeJS.Signals;
  readonly stop_grace_period: string;
}

export interface Limits {
  readonly cpus: string;
  readonly memory: string;
  readonly pids: number;
}

export interface HealthCheck {
  readonly test: readonly [form: "CMD" | "CMD-SHELL", ...words: string[]];
  readonly interval: string;
  readonly timeout: string;
  readonly retries: number;
  readonly start_period: string;
}

export interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws, like `docker compose`, for a required variable without a value. */
export function readCompose(text: string, environment: Environment): Compose {
  const file = interpolated(parse(text, { merge: true }), environment) as Omit<
    Compose,
    "services"
  > & { services: Record<string, Partial<Service>> };
  const services = Object.entries(file.services).map(([name, service]) => [
    name,
    { ...DEFAULTS, ...service, ...textual(service) },
  ]);
  return { ...file, services: Object.fromEntries(services) };
}

/** The services that run this repository's image. */
export function rolesOf({ services }: Compose): string[] {
  return Object.keys(services).filter((name) => services[name]?.image?.startsWith("sluice:"));
}

/** What applies to a service that does not specify it. */
const DEFAULTS = {
  command: [],
  ports: [],
  volumes: [],
  secrets: [],
  networks: [],
  depends_on: {},
  stop_signal: "SIGTERM",
  stop_grace_period: "10s",
} as const;

/** Processes receive text, even if YAML reads a number. */
function textual(service: Partial<Service>): Pick<Service, "environment"> {
  return {
    environment: Object.fromEntries(
      Object.entries(service.environment ?? {}).map(([name, value]) => [name, String(value)]),
    ),
  };
}

function interpolated(value: unknown, environment: Environment): unknown {
  if (typeof value === "string") return interpolate(value, environment);
  if (Array.isArray(value)) return value.map((entry) => interpolated(entry, environment));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [name, interpolated(entry, environment)]),
  );
}

/** `${A}`, `${A:-default}`, `${A:?message}`, `$$` for a dollar; anything else throws. */
export function interpolate(text: string, environment: Environment): string {
  return text.replace(
    /\$(?:\$|\{(\w+)(?::([-?])([^}]*))?\})?/g,
    (whole, name?: string, kind?: string, rest = "") => {
      if (whole === "$$") return "$";
      if (name === undefined)
        throw new Error(`a '$' that starts no variable of a known form: ${text}`);
      const value = environment[name];
      if (value) return value;
      if (kind === "?") throw new Error(`required variable ${name} is missing a value: ${rest}`);
      if (kind === undefined) throw new Error(`${whole} has neither a default nor a message`);
      return rest;
    },
  );
}

/** `30s` → 30,000. */
export function milliseconds(duration: string): number {
  const match = /^(\d+)s$/.exec(duration);
  if (!match) throw new Error(`'${duration}' is not a number of seconds`);
  return Number(match[1]) * 1_000;
}
