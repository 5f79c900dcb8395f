// Errors that are the fault of an entry, as opposed to trouble with the database.

/**
 * An entry whose text cannot be parsed. If it counted as database trouble, it would be retried
 * forever and block every shard.
 */
export class Unreadable extends Error {}

/** An entry that contradicts the ledger: Redis has lost something and must be rebuilt. */
export class Contradiction extends Error {}
