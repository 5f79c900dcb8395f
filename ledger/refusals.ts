// Why an entry is refused for what it says, as against a database that is in trouble.

/**
 * An entry whose text makes no sense. Were it taken for trouble with the database, it would be
 * tried for ever and hold up every shard.
 */
export class Unreadable extends Error {}

/**
 * An entry that cannot be true by what the ledger knows: Redis has lost something and must be
 * rebuilt.
 */
export class Contradiction extends Error {}
