import { SignJWT } from "jose";
import { NAME_PATTERN } from "../core/domain/order.ts";
import { SettingError, type Settings } from "../core/settings/settings.ts";

/** A token for trials, signed with the local secret. */
export async function mintToken(
  settings: Settings,
  who: { user: string; scope: string; hours: number },
): Promise<string> {
  if (settings.jwtAlgorithm !== "HS256")
    throw new SettingError(
      "sluice token signs with SLUICE_JWT_SECRET: it needs SLUICE_JWT_ALGORITHM=HS256",
    );
  if (settings.jwtSecret === "")
    throw new SettingError(
      "SLUICE_JWT_SECRET is not set, and no 'sluice up' is running here to provide one",
    );
  if (!NAME_PATTERN.test(who.user))
    throw new SettingError(
      `--user must be a user name (letters, digits, . _ @ -), not '${who.user}'`,
    );
  return new SignJWT(who.scope === "" ? {} : { scope: who.scope })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(who.user)
    .setIssuer(settings.jwtIssuer)
    .setAudience(settings.jwtAudience)
    .setIssuedAt()
    .setExpirationTime(`${who.hours}h`)
    .sign(new TextEncoder().encode(settings.jwtSecret));
}
