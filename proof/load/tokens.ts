import { SignJWT } from "jose";

export interface TokenIssuer {
  readonly secret: string;
  readonly issuer: string;
  readonly audience: string;
}

/** Lifetime of a token: enough for a rush or a bench. */
const LIFETIME = "2h";

/** An HS256 token for a user; `scope` is a gateway scope: service, operator. */
export function mintToken(
  { secret, issuer, audience }: TokenIssuer,
  user: string,
  scope = "",
): Promise<string> {
  const token = new SignJWT(scope === "" ? {} : { scope }).setProtectedHeader({
    alg: "HS256",
    typ: "JWT",
  });
  const claims = token
    .setSubject(user)
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(LIFETIME);
  return claims.sign(new TextEncoder().encode(secret));
}
