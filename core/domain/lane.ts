// The bound of a user's lane (core/lua/shared/lanes.lua).
import { RULES } from "./limits.ts";

export const { MAX_LANE } = RULES;
