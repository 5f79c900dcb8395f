// POST /v1/orders and POST /v1/orders/batch: directly on Bun's routes, since a flood consists of
// these.
import type { Server } from "bun";
import { readTraceparent, type Traceparent } from "../../core/domain/trace.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Auth, Principal } from "../access/auth.ts";
import type { ClientAddress } from "../access/client-address.ts";
import type { Origins } from "../access/origins.ts";
import type { Admission } from "../admission/admission.ts";
import type { LateRefusals } from "../admission/late-refusals.ts";
import type { Catalogue } from "../catalogue.ts";
import type { Estimate, Recipient, Verdict } from "../intake/batch.ts";
import { isObject, tooManyFor } from "../intake/check-order.ts";
import { Forms } from "../intake/forms.ts";
import { buyerNamed, type Intake } from "../intake/intake.ts";
import { readJson } from "../intake/json.ts";
import type { GatewayLimits } from "../intake/limits.ts";
import { readKey } from "../intake/order-keys.ts";
import { readBody } from "./body.ts";
import { oneHost } from "./host.ts";
import type { KeyedOrders } from "./keyed-orders.ts";
import { awaySoon, echo, PRIVATE, Problem, problem } from "./problem.ts";

export interface OrderHttpOptions {
  readonly runtime: Runtime;
  readonly clock: () => number;
  readonly auth: Auth;
  readonly intake: Intake;
  readonly keys: KeyedOrders;
  readonly catalogue: Catalogue;
  readonly origins: Origins;
  readonly addresses: ClientAddress;
  readonly late: LateRefusals;
  readonly admission: Admission;
  readonly limits: Pick<GatewayLimits, "bodyBytes" | "ordersPerRequest">;
}

type Peers = Pick<Server<unknown>, "requestIP">;

/** Takes a request's text and principal, returns its answer. */
type Place = (text: string, principal: Principal, request: Request) => Response | Promise<Response>;

export class OrderHttp {
  private readonly forms: Forms;

  constructor(private readonly options: OrderHttpOptions) {
    this.forms = new Forms(options.catalogue);
  }

  readonly one = (request: Request, server: Peers): Response | Promise<Response> =>
    this.answer(request, server, this.placeOne);
  readonly many = (request: Request, server: Peers): Response | Promise<Response> =>
    this.answer(request, server, this.placeMany);

  private answer(request: Request, server: Peers, place: Place): Response | Promise<Response> {
    const { origins } = this.options;
    const cors = origins.headers(request.headers.get("origin"));
    const response = this.admit(request, server, place);
    if (!cors) return response;
    return response instanceof Promise
      ? response.then((r) => withHeaders(r, cors))
      : withHeaders(response, cors);
  }

  private admit(request: Request, server: Peers, place: Place): Response | Promise<Response> {
    const { auth } = this.options;
    const wrongHost = oneHost(request);
    if (wrongHost) return this.refuse(wrongHost);
    const header = request.headers.get("authorization");
    const principal = auth.known(header) ?? auth.header(header);
    if (principal instanceof Problem) return this.refuseByAddress(principal, request, server);
    if (principal instanceof Promise)
      return principal.then((p) =>
        p instanceof Problem
          ? this.refuseByAddress(p, request, server)
          : this.read(request, p, place),
      );
    return this.read(request, principal, place);
  }

  /** Refuses a caller without a valid token. */
  private refuseByAddress(
    reason: Problem,
    request: Request,
    server: Peers,
  ): Response | Promise<Response> {
    const { late, addresses } = this.options;
    const peer = server.requestIP(request)?.address ?? "";
    const address = addresses.of(peer, request.headers.get("x-forwarded-for"));
    return late.answer(address, () => this.refuse(reason));
  }

  private read(request: Request, principal: Principal, place: Place): Response | Promise<Response> {
    // Shedding an order must stay far cheaper than accepting it: its body is not even read.
    const shut = this.options.intake.shuts(principal);
    if (shut) return this.refuse(shut);
    const body = readBody(request, this.options.limits.bodyBytes);
    if (body instanceof Problem) return this.refuse(body);
    return body.then(
      (text) => (typeof text === "string" ? place(text, principal, request) : this.refuse(text)),
      aborted,
    );
  }

  private readonly placeOne: Place = (text, principal, request) => {
    const { intake, admission, runtime, clock } = this.options;
    const header = request.headers.get("idempotency-key");
    const key = header === null ? undefined : readKey(header);
    if (key instanceof Problem) return this.refuse(key);
    const headerId = key?.kind === "id" ? key.id : null;
    const trace = readTraceparent(request.headers.get("traceparent"));
    const one = new One(runtime.random);
    const head = key === undefined ? Forms.headOf(text) : undefined;
    const formed = head && this.forms.of(head, principal);
    if (formed) {
      const refusal = intake.formed(formed, principal, one, undefined, clock(), trace);
      one.headers = admission.headers(formed.user);
      return refusal ? refusal.response(one.headers) : one.answer;
    }
    const value = readJson(text);
    if (value instanceof Problem) return this.refuse(value);
    if (key?.kind === "key") return this.placeKeyed(value, principal, key.key, one, trace);
    const refusal = intake.order(value, principal, headerId, one, undefined, trace);
    one.headers = admission.headers(buyerNamed(value, principal));
    if (refusal)
      return mayBeNews(refusal)
        ? this.retryOne(value, principal, headerId, refusal, trace)
        : refusal.response(one.headers);
    if (head) this.forms.learn(head, value, principal, clock());
    return one.answer;
  };

  /** A sale or item may just have been created: checks the ledger once before refusing. */
  private async retryOne(
    value: unknown,
    principal: Principal,
    headerId: string | null,
    refusal: Problem,
    trace: Traceparent | undefined,
  ): Promise<Response> {
    const { catalogue, intake, admission } = this.options;
    const one = new One(this.options.runtime.random);
    const again = (await catalogue.refreshSoon())
      ? intake.order(value, principal, headerId, one, undefined, trace)
      : refusal;
    one.headers = admission.headers(buyerNamed(value, principal));
    return again?.response(one.headers) ?? one.answer;
  }

  private async placeKeyed(
    value: unknown,
    principal: Principal,
    key: string,
    one: One,
    trace: Traceparent | undefined,
  ): Promise<Response> {
    const { keys, catalogue, admission } = this.options;
    const place = () => keys.place(value, principal, key, one, trace);
    let end = await place();
    if (end instanceof Problem && mayBeNews(end) && (await catalogue.refreshSoon()))
      end = await place();
    one.headers = admission.headers(buyerNamed(value, principal));
    if (end instanceof Problem) return end.response(one.headers);
    return end ? accepted(end.known, undefined, one.headers) : one.answer;
  }

  private readonly placeMany: Place = (text, principal, request) => {
    const value = readJson(text);
    const orders = value instanceof Problem ? value : this.ordersOf(value, text.length);
    return orders instanceof Problem
      ? this.refuse(orders)
      : this.placeAll(orders, principal, readTraceparent(request.headers.get("traceparent")));
  };

  private async placeAll(
    orders: readonly unknown[],
    principal: Principal,
    trace: Traceparent | undefined,
  ): Promise<Response> {
    const many = new Many(orders, this.options.runtime.random);
    const news: [number, Problem][] = [];
    orders.forEach((order, i) => {
      const refusal = this.options.intake.order(order, principal, null, many, i, trace);
      if (refusal && mayBeNews(refusal)) news.push([i, refusal]);
      else if (refusal) many.refused(refusal, i);
    });
    const renewed = news.length > 0 && (await this.options.catalogue.refreshSoon());
    for (const [i, first] of news) {
      const refusal = renewed
        ? this.options.intake.order(orders[i], principal, null, many, i, trace)
        : first;
      if (refusal) many.refused(refusal, i);
    }
    return many.answer;
  }

  private ordersOf(value: unknown, chars: number): readonly unknown[] | Problem {
    if (!isObject(value)) return problem("not_an_object");
    for (const key in value) if (key !== "orders") return new Problem("unknown_field", echo(key));
    const { orders } = value;
    if (!Array.isArray(orders))
      return problem(orders === undefined ? "missing_field" : "wrong_type", "orders", "an array");
    const most = this.options.limits.ordersPerRequest;
    if (orders.length === 0 || orders.length > most)
      return problem("out_of_range", "orders", `1 to ${most} orders`);
    return tooManyFor(chars, orders.length) ?? orders;
  }

  private refuse(reason: Problem): Response {
    return this.options.intake.refuse(reason).response();
  }
}

/** Waits for one order's confirm, then answers its request. */
class One implements Recipient {
  readonly follows = false;
  private resolve!: (response: Response) => void;
  readonly answer = new Promise<Response>((resolve) => {
    this.resolve = resolve;
  });

  /** Additional headers of the answer. */
  headers: Record<string, string> | undefined;

  constructor(private readonly random: () => number) {}

  settled(verdict: Verdict, _ref: unknown, id: string, estimate?: Estimate): void {
    this.resolve(
      verdict === "confirmed"
        ? accepted(id, estimate, this.headers)
        : unsettled(verdict, id, this.random).response(this.headers),
    );
  }
  decided(): void {}
  forgotten(): void {}
}

/** Waits for all orders of a request; one result each, in order. */
class Many implements Recipient {
  readonly follows = false;
  private readonly results: string[];
  private missing: number;
  private resolve!: (response: Response) => void;
  readonly answer = new Promise<Response>((resolve) => {
    this.resolve = resolve;
  });

  constructor(
    private readonly orders: readonly unknown[],
    private readonly random: () => number,
  ) {
    this.missing = orders.length;
    this.results = new Array(orders.length);
  }

  settled(verdict: Verdict, ref: unknown, id: string, estimate?: Estimate): void {
    this.results[ref as number] =
      verdict === "confirmed"
        ? acceptedText(id, estimate)
        : `{"id":"${id}","problem":${unsettled(verdict, id, this.random).json}}`;
    this.count();
  }

  refused(reason: Problem, ref: number): void {
    const order = this.orders[ref];
    const id =
      isObject(order) && typeof order.id === "string" ? JSON.stringify(echo(order.id)) : "null";
    this.results[ref] = `{"id":${id},"problem":${reason.json}}`;
    this.count();
  }

  decided(): void {}
  forgotten(): void {}

  private count(): void {
    if (--this.missing > 0) return;
    this.resolve(new Response(`{"results":[${this.results.join(",")}]}`, { headers: JSON_TYPE }));
  }
}

const JSON_TYPE = { "content-type": "application/json", ...PRIVATE };

/**
 * A Response copies its headers, so one object serves all answers: one of its own for each would
 * cost twice as much (docs/decisions/0020-gateway-cost.md).
 */
const ACCEPTED = { status: 202, headers: new Headers(JSON_TYPE) };
/** For answers with a rate limit, so that none gets another's. */
const ACCEPTED_LIMITED = { status: 202, headers: new Headers(JSON_TYPE) };

function accepted(
  id: string,
  estimate: Estimate | undefined,
  more: Record<string, string> | undefined,
): Response {
  const init = more ? ACCEPTED_LIMITED : ACCEPTED;
  init.headers.set("location", `/v1/orders/${id}`);
  for (const name in more) init.headers.set(name, more[name] as string);
  return new Response(acceptedText(id, estimate), init);
}

function acceptedText(id: string, estimate: Estimate | undefined): string {
  return `{"id":"${id}","status":"accepted"${estimateText(estimate)}}`;
}

let last: { readonly estimate: Estimate | undefined; readonly text: string } = {
  estimate: undefined,
  text: "",
};

/** As members. All orders of a batch have the same estimate, so its text is kept. */
function estimateText(estimate: Estimate | undefined): string {
  if (estimate !== last.estimate) {
    const { position, seconds, stalled, region } = estimate ?? {};
    const elsewhere = region === undefined ? "" : `,"region":"${region}"`;
    const outage = stalled ? ',"stalled":true' : "";
    const wait = `,"estimate":{"position":${position},"seconds":${seconds}${outage}}`;
    const text = estimate ? wait + elsewhere : "";
    last = { estimate, text };
  }
  return last.text;
}

/**
 * `unconfirmed` names the order: sending the same id again is how to find out. `shed`: no broker
 * took it.
 */
export function unsettled(
  verdict: Exclude<Verdict, "confirmed">,
  id: string,
  random: () => number,
): Problem {
  if (verdict === "shed") return awaySoon("broker", random);
  return id === ""
    ? problem("unconfirmed")
    : new Problem("unconfirmed", undefined, `order ${id}: send it again with the same id`);
}

function mayBeNews(reason: Problem): boolean {
  return reason.code === "unknown_sale" || reason.code === "unknown_item";
}

/** The client disconnected while sending: nobody reads this. */
function aborted(): Response {
  return problem("malformed").response();
}

function withHeaders(response: Response, headers: Record<string, string>): Response {
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}
