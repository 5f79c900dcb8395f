// The stub's answers: those defined in docs/payments.md, and some that are not answers at all.
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Charge, ChargeStatus } from "./book.ts";

const STATUS_CODES: Readonly<Record<ChargeStatus, number>> = {
  captured: 200,
  pending: 202,
  declined: 402,
};

export function chargeAnswer(charge: Charge, code = STATUS_CODES[charge.status]): Response {
  const { key, order, amount, currency, status, refunded, disputed } = charge;
  const reason = status === "declined" ? { reason: "card declined" } : {};
  const body = { key, order, amount, currency, status, refunded, disputed, ...reason };
  return Response.json(body, { status: code });
}

export function refundAnswer(
  { key, amount, currency }: Charge,
  status: "refunded" | "pending" | "refused",
  code: number,
  reason?: string,
): Response {
  return Response.json({ key, amount, currency, status, reason }, { status: code });
}

/** The charge, or its refund, does not exist. */
export function none(key: string): Response {
  return Response.json({ key, status: "none" }, { status: 404 });
}

/** Leaves the result open: the caller has to ask again. */
export function failed(
  code: number,
  reason: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ reason }, { status: code, headers });
}

export function page(): Response {
  const text = "<!doctype html><title>Down for maintenance</title><p>captured";
  return new Response(text, { headers: { "content-type": "text/html" } });
}

export const LOGIN_PATH = "/login";

export function redirect(): Response {
  return new Response(null, { status: 307, headers: { location: LOGIN_PATH } });
}

const FILLER = new Uint8Array(65_536).fill(0x20);

/** JSON that goes on for as long as it is read. */
export function endless(runtime: Runtime): Response {
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode('{"status":"captured",')),
    pull: async (controller) => {
      // Lets other requests be served in between.
      await runtime.sleep(1);
      controller.enqueue(FILLER);
    },
  });
  return new Response(body, { headers: { "content-type": "application/json" } });
}
