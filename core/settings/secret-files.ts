// Secrets from files, as orchestrators mount them: SLUICE_REDIS_URL_FILE=/run/secrets/redis-url
// sets SLUICE_REDIS_URL to the file's text. It works for every setting that may hold a secret.
import { readFileSync } from "node:fs";
import { messageOf } from "../domain/message-of.ts";
import { SettingError } from "./setting-readers.ts";
import { SETTINGS, type Setting } from "./setting-table.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const SUFFIX = "_FILE";
/** A key set of many keys is shorter. */
const MAX_CHARACTERS = 1_000_000;

/** The environment with the files' texts in place of their names. */
export function withSecretFiles(env: Environment): Environment {
  const named = secretVariables().filter((variable) => env[variable + SUFFIX]);
  if (named.length === 0) return env;
  const read: Record<string, string | undefined> = { ...env };
  for (const variable of named) {
    const file = variable + SUFFIX;
    if (env[variable]) throw new SettingError(`${variable} and ${file} are both set: set one`);
    read[variable] = textOf(file, env[file] as string);
    delete read[file];
  }
  return read;
}

export function secretVariables(): string[] {
  const settings: readonly Setting<unknown>[] = Object.values(SETTINGS);
  return settings.filter(({ secret }) => secret).map(({ variable }) => variable);
}

/** Without the line end that editors add. */
function textOf(setting: string, file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new SettingError(`${setting}: '${file}' cannot be read: ${messageOf(error)}`);
  }
  const value = text.replace(/[\r\n]+$/, "");
  if (value === "" || value.length > MAX_CHARACTERS)
    throw new SettingError(
      `${setting}: '${file}' must have 1 to ${MAX_CHARACTERS} characters, not ${value.length}`,
    );
  return value;
}
