import { SignJWT } from "jose";
import { countWords } from "../core/domain/finding-words.ts";
import { nameOfSubject, USER_RULE } from "../core/domain/user-name.ts";
import { SettingError, type Settings } from "../core/settings/settings.ts";
import { SCOPES } from "../gateway/access/rights.ts";
import { nothingRunning } from "./running.ts";
import { UsageError } from "./usage.ts";

/** A token for trials, signed with the local secret. */
export async function mintToken(
  settings: Settings,
  who: { user: string; scope: string; hours: number },
): Promise<string> {
  if (settings.jwtAlgorithm !== "HS256")
    throw new SettingError(
      "sluice token signs with SLUICE_JWT_SECRET: it needs SLUICE_JWT_ALGORITHM=HS256",
    );
  if (settings.jwtSecret === "" && settings.redisUrl === "") throw nothingRunning(settings.dataDir);
  if (settings.jwtSecret === "")
    throw new SettingError(
      "SLUICE_JWT_SECRET is not set, and no 'sluice up' is running here to provide one",
    );
  if (nameOfSubject(who.user) === undefined) throw new UsageError(`--user must be ${USER_RULE}`);
  const scopes: readonly string[] = SCOPES;
  for (const word of who.scope.split(" ").filter((w) => w !== ""))
    if (!scopes.includes(word))
      throw new UsageError(`--scope '${word}' does not exist; known: ${scopes.join(", ")}`);
  if (who.hours * 3_600_000 > settings.jwtMaxLifeMs)
    throw new UsageError(
      "--hours must be at most SLUICE_JWT_MAX_LIFE, or the gateways refuse the token: " +
        countWords(settings.jwtMaxLifeMs / 3_600_000, "hour"),
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
