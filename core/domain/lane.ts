/**
 * Orders of one user with a charge under way or waiting for the earlier ones; one more is
 * `over_limit` (core/lua/shared/lanes.lua).
 */
export const MAX_LANE = 1_000;
