// Which web pages may call: CORS for HTTP requests, the Origin check for WebSockets.

export class Origins {
  private readonly allowed: ReadonlySet<string>;
  private readonly any: boolean;

  /** Origins as browsers send them, `https://shop.example:8443`, or `*`. */
  constructor(origins: readonly string[]) {
    this.any = origins.includes("*");
    this.allowed = new Set(origins.map((o) => o.toLowerCase().replace(/\/$/, "")));
  }

  /**
   * Whether a page of this origin may call a gateway addressed as `host`. Clients other than
   * browsers send no origin.
   */
  allows(origin: string | null, host: string | null): boolean {
    if (origin === null || this.any) return true;
    const lower = origin.toLowerCase();
    return (
      this.allowed.has(lower) ||
      (host !== null && (lower === `http://${host}` || lower === `https://${host}`))
    );
  }

  /**
   * Headers that let the page read the answer; undefined if the origin is absent or not allowed.
   */
  headers(origin: string | null): Record<string, string> | undefined {
    if (origin === null || !(this.any || this.allowed.has(origin.toLowerCase()))) return undefined;
    return {
      "access-control-allow-origin": origin,
      // A page with a wrong clock corrects itself by Date, and slows down by RateLimit.
      "access-control-expose-headers":
        "Date, ETag, Location, RateLimit, RateLimit-Policy, Retry-After",
      vary: "Origin",
    };
  }

  /** The answer to a browser's preflight request. */
  preflight(origin: string | null): Record<string, string> {
    const headers = this.headers(origin);
    if (!headers) return {};
    return {
      ...headers,
      "access-control-allow-methods": "GET, POST, PUT, DELETE",
      "access-control-allow-headers":
        "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Traceparent",
      "access-control-max-age": "3600",
    };
  }
}
