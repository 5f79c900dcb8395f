/** `worker-1` of `worker-1-c8c4ed02`: the name that a role was started with. */
export const startedAs = (id: string): string => id.replace(/-[0-9a-f]{8}$/, "");
