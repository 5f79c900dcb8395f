// For tests: an OpenID Connect issuer that signs everybody in at once, or nobody. It checks PKCE as
// a real one does, and lets pages of any origin ask for tokens.

const CORS = { "access-control-allow-origin": "*" };

export interface TestIssuer {
  readonly url: string;
  /** The reasons of its refusals, oldest first. */
  readonly refused: string[];
  /** What it says instead of signing in, as on a press of its Cancel. */
  denies: string | undefined;
  stop(): Promise<void>;
}

export function startIssuer(clientId: string, token: () => Promise<string>): TestIssuer {
  const challenges = new Map<string, string>();
  const refused: string[] = [];
  const refuse = (error: string): Response => {
    refused.push(error);
    return Response.json({ error }, { status: 400, headers: CORS });
  };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    routes: {
      "/.well-known/openid-configuration": (request) => {
        const { origin } = new URL(request.url);
        const endpoints = { authorization_endpoint: `${origin}/a`, token_endpoint: `${origin}/t` };
        return Response.json({ issuer: origin, ...endpoints }, { headers: CORS });
      },
      "/a": (request) => {
        const query = new URL(request.url).searchParams;
        const asked = ["response_type", "client_id", "code_challenge_method"].map((n) =>
          query.get(n),
        );
        if (asked.join() !== `code,${clientId},S256`) return refuse(`asked for ${asked}`);
        const code = crypto.randomUUID();
        challenges.set(code, query.get("code_challenge") ?? "");
        const back = new URL(query.get("redirect_uri") ?? "");
        const state = query.get("state") ?? "";
        const said = issuer.denies === undefined ? ["code", code] : ["error", issuer.denies];
        back.search = `${new URLSearchParams([said, ["state", state]])}`;
        return Response.redirect(back.href, 302);
      },
      "/t": {
        POST: async (request) => {
          const body = new URLSearchParams(await request.text());
          const verifier = body.get("code_verifier") ?? "";
          const hash = new Bun.CryptoHasher("sha256").update(verifier).digest("base64url");
          const code = body.get("code") ?? "";
          if (challenges.get(code) !== hash) return refuse("the verifier does not fit");
          challenges.delete(code);
          return Response.json({ access_token: await token() }, { headers: CORS });
        },
      },
    },
  });
  const { origin } = server.url;
  const stop = () => server.stop(true);
  const issuer: TestIssuer = { url: origin, refused, denies: undefined, stop };
  return issuer;
}
