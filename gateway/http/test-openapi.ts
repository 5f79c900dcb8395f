// For tests: whether a call's answer is one that the description names, in status, headers, type
// and body. gateway/testing.ts checks every answer that its gateways give in any test.
import Ajv, { type ValidateFunction } from "ajv/dist/2020";
import addFormats from "ajv-formats";
import type { Gateway } from "../start.ts";
import { OPENAPI } from "./openapi.ts";

interface Described {
  readonly $ref?: string;
  readonly description?: string;
  readonly headers?: Record<string, unknown>;
  readonly content?: Record<string, { readonly schema: object }>;
}
type Calls = Record<string, Record<string, { readonly responses: Record<string, Described> }>>;

const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema(OPENAPI, "openapi");

const paths = Object.entries(OPENAPI.paths as Calls).map(([path, methods]) => ({
  path,
  methods,
  pattern: new RegExp(`^${path.replaceAll(/[.]/g, "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`),
}));

/** Headers that mean something to clients. The rest is the transport's, or CORS. */
const MEANT = Object.keys((OPENAPI.components as { headers: Record<string, unknown> }).headers);

const SHARED = (OPENAPI.components as { responses: Record<string, Described> }).responses;

const validators = new Map<string, ValidateFunction>();

/** Validates against a place in the description, a JSON pointer. */
export function validatorAt(pointer: string): ValidateFunction {
  let found = validators.get(pointer);
  if (!found) {
    found = ajv.compile({ $ref: `openapi#${pointer}` });
    validators.set(pointer, found);
  }
  return found;
}

export const validatorOf = (schema: string): ValidateFunction =>
  validatorAt(`/components/schemas/${schema}`);

/** What is wrong with an answer; undefined: nothing, or the call is not described at all. */
export async function misfit(
  method: string,
  url: string,
  answer: Response,
): Promise<string | undefined> {
  const { pathname } = new URL(url);
  const found = paths.find(({ path }) => path === pathname) ?? paths.find(fits(pathname));
  const call = found?.methods[method.toLowerCase()];
  if (!found || !call) return undefined;
  const { status } = answer;
  const where = `${method} ${found.path}: ${status}`;
  const named = call.responses[status];
  const shared = named?.$ref?.split("/").at(-1);
  const described = shared === undefined ? named : SHARED[shared];
  if (!described) return `${where} is not described`;
  const header = MEANT.find((n) => answer.headers.has(n) && !described.headers?.[n]);
  if (header) return `${where} has the header ${header}, which is not described`;
  const type = answer.headers.get("content-type")?.split(";")[0] ?? "";
  if (!described.content)
    return answer.body && type.includes("json") ? `${where} has a body` : undefined;
  if (!described.content[type]) return `${where} has the type ${type}, which is not described`;
  if (!type.endsWith("json")) return undefined;
  const steps =
    shared === undefined
      ? ["paths", found.path, method.toLowerCase(), "responses", String(status)]
      : ["components", "responses", shared];
  const place = [...steps, "content", type, "schema"].map(escaped);
  const validate = validatorAt(`/${place.join("/")}`);
  const body: unknown = await answer.clone().json();
  const { code } = (body ?? {}) as { readonly code?: unknown };
  if (type === "application/problem+json" && !described.description?.includes(`\`${code}\``))
    return `${where} has the code ${code}, which is not described`;
  if (validate(body)) return undefined;
  return `${where}: ${ajv.errorsText(validate.errors)}: ${JSON.stringify(body).slice(0, 500)}`;
}

/** A step of a JSON pointer in a URI. */
const escaped = (step: string): string =>
  encodeURIComponent(step.replaceAll("~", "~0").replaceAll("/", "~1"));

const fits =
  (pathname: string) =>
  ({ pattern }: { pattern: RegExp }): boolean =>
    pattern.test(pathname);

const watched = new Set<string>();
const { fetch: plainFetch } = globalThis;

/** From now on, an answer of this gateway that does not fit the description fails its caller. */
export function watchAnswers(gateway: Pick<Gateway, "url" | "app">): void {
  watched.add(new URL(gateway.url).origin);
  globalThis.fetch = Object.assign(watchedFetch, plainFetch);
  const { app } = gateway;
  const request = app.request.bind(app);
  app.request = async (path, init, ...more) => {
    const answer = await request(path, init, ...more);
    const method = init?.method ?? (path instanceof Request ? path.method : "GET");
    const url = path instanceof Request ? path.url : String(path);
    return fitting(method, new URL(url, gateway.url).href, answer);
  };
}

async function watchedFetch(...args: Parameters<typeof fetch>): Promise<Response> {
  const answer = await plainFetch(...args);
  const [target, init] = args;
  const url = target instanceof Request ? target.url : String(target);
  if (!watched.has(new URL(url).origin)) return answer;
  const method = init?.method ?? (target instanceof Request ? target.method : "GET");
  return fitting(method, url, answer);
}

async function fitting(method: string, url: string, answer: Response): Promise<Response> {
  const wrong = await misfit(method, url, answer);
  if (wrong !== undefined) throw new Error(`the answer does not fit /openapi.json: ${wrong}`);
  return answer;
}
