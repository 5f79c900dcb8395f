// A request has one Host (RFC 9112 §3.2). With two, a proxy and the gateway may each use a
// different one.
import { type Problem, problem } from "./problem.ts";

/** Bun joins repeated headers with commas, and answers 400 itself if there is no Host. */
export function oneHost(request: Request): Problem | undefined {
  const host = request.headers.get("host");
  return host === "" || host?.includes(",") ? BAD_HOST : undefined;
}

const BAD_HOST = problem("bad_host", "Host", "exactly one Host header with one host");
