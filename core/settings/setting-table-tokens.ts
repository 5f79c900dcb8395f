// Settings of the tokens that callers present (docs/auth.md).
import { duration, oneOf, SettingError, text, url } from "./setting-readers.ts";

function address(value: string, variable: string): string {
  if (!URL.canParse(value)) throw new SettingError(`${variable} must be a URL`);
  return url("http", "https")(value, variable);
}

export const TOKEN_SETTINGS = {
  jwtAlgorithm: {
    variable: "SLUICE_JWT_ALGORITHM",
    says: "the only algorithm accepted for tokens",
    fallback: "HS256" as "HS256" | "RS256" | "ES256" | "EdDSA",
    read: oneOf("HS256", "RS256", "ES256", "EdDSA"),
  },
  jwtSecret: {
    variable: "SLUICE_JWT_SECRET",
    says: "secret for HS256",
    secret: true,
    fallback: "",
    read: text,
  },
  jwtPublicKey: {
    variable: "SLUICE_JWT_PUBLIC_KEY",
    says: "PEM file with the public key",
    fallback: "",
    read: text,
  },
  jwks: {
    variable: "SLUICE_JWKS",
    says: "file or URL of a key set",
    secret: true,
    fallback: "",
    read: text,
  },
  jwtIssuer: {
    variable: "SLUICE_JWT_ISSUER",
    says: "required iss of a token",
    fallback: "sluice",
    read: text,
  },
  jwtAudience: {
    variable: "SLUICE_JWT_AUDIENCE",
    says: "required aud of a token",
    fallback: "sluice",
    read: text,
  },
  jwtType: {
    variable: "SLUICE_JWT_TYPE",
    says: "required typ of a token, such as at+jwt",
    fallback: "",
    read: text,
  },
  jwtToleranceMs: {
    variable: "SLUICE_JWT_TOLERANCE",
    says: "how far the issuer's clock may be from the gateway's",
    fallback: 30_000,
    read: duration(0, 300_000),
  },
  jwtMaxLifeMs: {
    variable: "SLUICE_JWT_MAX_LIFE",
    says: "longest time to a token's exp",
    fallback: 86_400_000,
    read: duration(60_000, 366 * 86_400_000),
  },
  jwtUserClaim: {
    variable: "SLUICE_JWT_USER_CLAIM",
    says: "claim that names the user",
    fallback: "sub",
    read: text,
  },
  jwtAudienceClaim: {
    variable: "SLUICE_JWT_AUDIENCE_CLAIM",
    says: "claim that must be, or hold, the audience",
    fallback: "aud",
    read: text,
  },
  jwtScopeClaim: {
    variable: "SLUICE_JWT_SCOPE_CLAIM",
    says: "claim that holds the scopes",
    fallback: "scope",
    read: text,
  },
  consoleOidcIssuer: {
    variable: "SLUICE_CONSOLE_OIDC_ISSUER",
    says: "where operators sign in to the console (OpenID Connect)",
    fallback: "",
    read: address,
  },
  consoleOidcClient: {
    variable: "SLUICE_CONSOLE_OIDC_CLIENT",
    says: "the console's client id there",
    fallback: "",
    read: text,
  },
  consoleOidcScope: {
    variable: "SLUICE_CONSOLE_OIDC_SCOPE",
    says: "scopes that the console asks for there",
    fallback: "openid",
    read: text,
  },
} as const;
