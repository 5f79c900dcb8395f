// Errors that every command may throw, and what becomes of them (failure.ts).
import { SettingError } from "../core/settings/settings.ts";

/** The arguments are wrong, and nothing was done. */
export class UsageError extends SettingError {}

/** Nothing is running here, or what runs does not answer. */
export class Unavailable extends Error {}
